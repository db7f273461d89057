"""Jenkins jobs from job configs: definitions for jenkins-job-builder, and configs from jobs of before. Starts nothing."""
