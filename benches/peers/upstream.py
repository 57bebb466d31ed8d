"""The upstream of all proxies: nginx with one worker, which serves files."""

from .cpus import others
from .process import Process, free_port

SIZES = {"1k": 1024, "64k": 64 * 1024, "1m": 1024 * 1024}

CONFIG = """
worker_processes 1; daemon off; pid {dir}/upstream.pid; error_log {dir}/upstream.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 1h; default_type text/plain;
  client_body_temp_path {dir}/upstream-body; proxy_temp_path {dir}/upstream-proxy;
  fastcgi_temp_path {dir}/upstream-f; uwsgi_temp_path {dir}/upstream-u; scgi_temp_path {dir}/upstream-s;
  server {{ listen 127.0.0.1:{port} backlog=4096; root {dir}/files; }}
  server {{ listen 127.0.0.1:{http2_port} http2 backlog=4096; root {dir}/files; http2_max_concurrent_streams 1024; }}
}}
"""


class Upstream:
    def __init__(self, nginx, directory):
        self.port, self.http2_port = free_port(), free_port()
        self.nginx = nginx
        files = directory / "files"
        files.mkdir(mode=0o755)
        for name, size in SIZES.items():
            (files / name).write_bytes(b"x" * size)
        self.config = directory / "upstream.conf"
        self.config.write_text(CONFIG.format(dir=directory, port=self.port, http2_port=self.http2_port))
        self.log = directory / "upstream-output.log"
        self.directory = directory

    def __enter__(self):
        line = [self.nginx, "-c", str(self.config), "-p", str(self.directory)]
        self.process = Process(line, others(1), self.log)
        try:
            self.process.wait_ready(self.port, "/1k")
        except BaseException:
            self.process.end()
            raise
        return self

    def __exit__(self, *_):
        self.process.end()
