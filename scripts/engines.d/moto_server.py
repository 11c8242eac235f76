"""moto's server, answering one request at a time. Flags: --host, --port.

moto keeps its state in plain dictionaries without locks, so of two requests at once one
may lose its write, which never happens at AWS. Connections are still accepted by threads
(a client may open one and send nothing on it), but one request is served at a time.
"""

from threading import Lock

from moto import server


class OneAtATime(server.DomainDispatcherApplication):
    def __init__(self, create_app):
        super().__init__(create_app)
        self.serving = Lock()

    def __call__(self, environ, start_response):
        with self.serving:
            return list(super().__call__(environ, start_response))


server.DomainDispatcherApplication = OneAtATime
server.main()
