"""Serving of an exported language model: the engine with continuous batching, its checks and its statistics.

The package travels with the MLflow model and runs far from this project: it imports nothing of lstm_lm.
"""
