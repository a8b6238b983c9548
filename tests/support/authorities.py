"""Which certificate authorities tests trust: one, because each HTTP client reads all that there are, for 20 ms of CPU.

No test asks a server outside; those that speak TLS bring an authority of their own.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import certifi
import pytest

_END = "-----END CERTIFICATE-----\n"


@contextmanager
def one() -> Iterator[None]:
    """Let this process and its children trust the first authority alone."""
    first, end, _ = certifi.contents().partition(_END)
    with tempfile.TemporaryDirectory(prefix="tidewaiter-authority-") as folder, pytest.MonkeyPatch.context() as patch:
        Path(folder).chmod(0o755)  # some tests work as another user
        file = Path(folder, "authority.pem")
        file.write_text(first + end, encoding="utf-8")
        patch.setenv("SSL_CERT_FILE", str(file))
        yield
