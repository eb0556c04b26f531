"""The suites that third parties hold their plug-ins to, held to real peers themselves."""
