"""A training as a folder: the run, its history and dashboard, loggers, validation, beginning with another model."""
