"""The ssh plugin: the pods of a Job may log in to each other without a password.

A Secret `<job>-ssh` has a key pair made for this run of the Job (or the one given by flags), the public key again as
the only one that may log in, and a client configuration that knows the Job's hosts. It is mounted into every main
container where ssh looks for it.
"""

from __future__ import annotations

import base64

from jobflow.api.resources import SECRET
from jobflow.local.volcano.objects import Job, owner_reference
from jobflow.local.volcano.plugins.flags import Flags, Value
from jobflow.local.volcano.plugins.placement import Body, Placement, add_volume, hosts

ROOTS_FOLDER = "/root/.ssh"
STANDARD_PORT = 22
FLAGS: Flags = {
    "ssh-key-file-path": ROOTS_FOLDER,
    "ssh-private-key": "",
    "ssh-public-key": "",
    "ssh-port": STANDARD_PORT,
}
KEY_BITS = 2048
FOLDER = ".ssh"
FILES = ("id_rsa", "id_rsa.pub", "authorized_keys", "config")
MODE = 0o600  # ssh refuses a private key that others may read
MODE_OF_A_CUSTOM_PATH = 0o644  # whose user is not known


def secret_name(job: Job) -> str:
    """The Secret with the keys."""
    return f"{job.name}-ssh"


def on_pod(placement: Placement) -> None:
    """Mount the keys into the main containers."""
    name, path = secret_name(placement.job), placement.text("ssh-key-file-path")
    volume = {
        "name": name,
        "secret": {
            "secretName": name,
            "items": [{"key": file, "path": f"{FOLDER}/{file}"} for file in FILES],
            "defaultMode": MODE if path == ROOTS_FOLDER else MODE_OF_A_CUSTOM_PATH,
        },
    }
    mount = {"name": name, "mountPath": path, "subPath": FOLDER}
    add_volume(placement.pod, volume, placement.containers, mount)


def objects(job: Job, flags: dict[str, Value]) -> list[Body]:
    """The Secret. Making a key takes some tenths of a second of computing."""
    private, public = str(flags["ssh-private-key"]), str(flags["ssh-public-key"])
    if not (private and public):
        private, public = key_pair()
    files = (private, public, public, client_configuration(job, int(flags["ssh-port"])))
    secret = {
        "apiVersion": SECRET.api_version,
        "kind": SECRET.kind,
        "metadata": {
            "name": secret_name(job),
            "namespace": job.namespace,
            "ownerReferences": [owner_reference(job)],
        },
        "type": "Opaque",
        "data": {name: base64.b64encode(text.encode()).decode() for name, text in zip(FILES, files, strict=True)},
    }
    return [secret]


def key_pair() -> tuple[str, str]:
    """A new private key (PEM) and its public key as `authorized_keys` has it."""
    # Here because loading it takes longer than all else that the runtime loads.
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return private.decode(), public.decode() + "\n"


def client_configuration(job: Job, port: int) -> str:
    """`config` of ssh: no questions about hosts, and a short name for each."""
    lines = ["StrictHostKeyChecking no", "UserKnownHostsFile /dev/null"]
    for task in job.spec.tasks:
        for host in hosts(job, task):
            lines += [f"Host {host.partition('.')[0]}", f"  HostName {host}"]
            if port != STANDARD_PORT:
                lines.append(f"  Port {port}")
    return "\n".join(lines) + "\n"
