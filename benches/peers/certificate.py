"""A certificate for the rows with TLS: ECDSA P-256, the kind that is served most."""

import subprocess

from .tools import Failed


def make(openssl, directory):
    """`cert.pem`, `key.pem`, and `both.pem` as haproxy wants it."""
    certificate, key = directory / "cert.pem", directory / "key.pem"
    line = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]
    line += ["-subj", "/CN=bench", "-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"openssl: {done.stderr}")
    # nginx gives up its rights before it reads.
    key.chmod(0o644)
    (directory / "both.pem").write_text(certificate.read_text() + key.read_text())
