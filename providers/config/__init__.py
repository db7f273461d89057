"""Job configs: one YAML file a job, merged over ``party.yaml``, checked with the place of everything that is wrong."""

from __future__ import annotations

from providers.config.find import config_files, default_search, job_names
from providers.config.load import LoadedJob, load_job
from providers.config.model import PRESETS, JobConfig, ProviderChoice, Timeouts
from providers.config.problems import ConfigError, Place, Problem
from providers.config.rules import duration_s, duration_text

__all__ = [
    "PRESETS",
    "ConfigError",
    "JobConfig",
    "LoadedJob",
    "Place",
    "Problem",
    "ProviderChoice",
    "Timeouts",
    "config_files",
    "default_search",
    "duration_s",
    "duration_text",
    "job_names",
    "load_job",
]
