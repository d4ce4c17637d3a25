"""Kubelet: runs the pods of the embedded control plane, as processes of this machine or as simulations.

`kubelet.py` is the loop; `containers.py` has the words it shares with its two runtimes, `process_runtime.py`
and `simulated.py`.
"""
