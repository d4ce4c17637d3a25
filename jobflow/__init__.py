"""jobflow runs DAGs of Volcano Jobs on Kubernetes; controller.py is the place to start reading."""

__version__ = "0.1.0"
