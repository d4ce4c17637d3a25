"""Wire: how requests come in and answers go out.

http         a TLS socket for kubectl; certificates, credentials, kubeconfig, private_files
inprocess    a Transport without a socket
streams      answers that go on
bodies       JSON, YAML and protobuf of requests
"""
