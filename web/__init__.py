"""HTTP in and out: intake, CRM hooks, API, console."""
