"""Pages of MLflow that are set up for this project: its saved views of an experiment."""
