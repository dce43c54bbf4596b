"""How good the flowers are: features of frozen networks, metrics, tests, the report."""
