"""The supervisor: the one parent of all container processes of a kubelet, in a process of its own.

`main.py` is its loop; `launch.py` turns a command into a process, `mounts.py` gives that one its file system, `logs.py`
keeps what it prints, `kernel.py` asks Linux. Standard library alone: it is started without site-packages, in
milliseconds, and stays small.
"""
