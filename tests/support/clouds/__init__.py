"""Contract fakes of clouds: servers that are driven by the real SDKs and refuse what the services would refuse."""
