"""The one node of the embedded control plane: its name and address."""

from __future__ import annotations

NODE_NAME = "local"
NODE_ADDRESS = "127.0.0.1"  # pods are processes of this machine, reached over loopback
