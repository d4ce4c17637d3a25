"""The embedded control plane: what stands in for a cluster where there is none.

An API server that kubectl can talk to (`apiserver/`), Volcano's Job controller (`volcano/`) and a kubelet that runs
pods as processes or plays them (`kubelet/`). For development and tests; in a cluster the real ones take their place.
"""
