"""Logging in: what OpenSSH would try without asking anybody anything, in its order."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

from paramiko import (
    AuthenticationException,
    BadAuthenticationType,
    PKey,
    RSAKey,
    Transport,
)
from paramiko.auth_strategy import (
    AuthFailure,
    AuthResult,
    AuthSource,
    AuthStrategy,
    NoneAuth,
    PrivateKey,
)

from pegasus.model import Node
from pegasus.ssh.login import keys
from pegasus.ssh.login.agent import Agent, HeldKey, socket_path
from pegasus.ssh.login.keys import Certificate, UnusableKeyError
from pegasus.ssh.openssh.algorithms import CERTIFICATE, signatures
from pegasus.ssh.openssh.config import ssh_command
from pegasus.ssh.openssh.target import Target

# What Paramiko says when the connection ended meanwhile, and when no answer came.
_HUNG_UP = "shut down"
_TOO_LATE = "timeout"


class _PartialError(AuthenticationException):  # type: ignore[misc]
    """The server took the key, and wants more."""

    def __init__(self, methods: list[str]) -> None:
        super().__init__("more is wanted")
        self.methods = methods


class _KeySource(PrivateKey):  # type: ignore[misc]
    """One key or certificate to try; `name` is what people call it."""

    def __init__(self, user: str, name: str, key: PKey, algorithms: list[str]) -> None:
        super().__init__(user)
        self.pkey = key
        self.name = name
        self._algorithms = algorithms

    def authenticate(self, transport: Transport) -> list[str]:
        """Log in, or raise.

        Paramiko takes it for a success when a key was good but not enough.
        """
        plain = [name.removesuffix(CERTIFICATE) for name in self._algorithms]
        transport._preferred_pubkeys = tuple(plain)  # it adds what makes it a certificate's
        methods: list[str] = super().authenticate(transport)
        if methods:
            raise _PartialError(methods)
        return methods


@dataclass
class _Identity:
    """A key of the configuration's: in a file, perhaps with a certificate."""

    path: str
    public: bytes | None
    certificate: Certificate | None = None

    @property
    def name(self) -> str:
        return self.certificate.path if self.certificate is not None else self.path

    def is_held_as(self, key: HeldKey) -> bool:
        """Return whether an agent's key is this very one, certificate included."""
        shown = self.certificate.blob.key_blob if self.certificate else self.public
        return bool(shown == key.blob)


class Login(AuthStrategy):  # type: ignore[misc]
    """Tries "none", the agent's keys and the key files; never a password or a passphrase."""

    def __init__(self, node: Node, target: Target) -> None:
        super().__init__(ssh_config=None)
        self._node = node
        self._target = target
        #: Remarks on keys that were not tried, for the message when nothing works.
        self._unused: list[str] = []

    def authenticate(self, transport: Transport) -> AuthResult:
        """Try one after the other, until the server lets us in or says nothing any more.

        Raises:
            AuthFailure: nothing worked; see `interruption` and `describe`.
        """
        self._transport = transport
        self._end_by = time.monotonic() + transport.auth_timeout
        return super().authenticate(transport)

    def get_sources(self) -> Iterator[AuthSource]:
        """Yield what is to be tried, in this order."""
        yield NoneAuth(self._target.user)
        if not self._target.is_pubkey_allowed:
            return
        with self._agent() as held:
            for name, key in self._candidates(held):
                source = self._source(name, key)
                if self._is_broken_off():
                    return
                if source is not None:
                    yield source

    def _is_broken_off(self) -> bool:
        """Return whether the conversation is over: each further key would wait in vain."""
        return not self._transport.is_active() or time.monotonic() >= self._end_by

    def interruption(self, failure: AuthFailure) -> BaseException | None:
        """Return what broke off the login before the server had seen a key, None otherwise.

        A server that hangs up on a key may have seen too many: that is for `describe`.
        """
        source: AuthSource
        result: BaseException
        source, result = failure.result[-1]
        if isinstance(source, _KeySource):
            return None
        if _TOO_LATE in str(result):
            return TimeoutError()
        if not isinstance(result, AuthenticationException):
            return result
        return EOFError() if _HUNG_UP in str(result) else None

    def describe(self, failure: AuthFailure) -> str:
        """Say in words what was tried in vain, and what to do."""
        tried = [source.name for source, _ in failure.result if isinstance(source, _KeySource)]
        parts = [f"{self._target.user}@{self._target.hostname} lets none of our keys in"]
        parts.append(f"tried {', '.join(tried)}" if tried else "there was no key to try")
        parts += [*self._unused, *self._target.login_remarks, *_demands(failure)]
        if self._target.is_kerberos_wanted and "gssapi-with-mic" in _offers(failure):
            parts.append("GSSAPIAuthentication (Kerberos) is not possible here")
        parts += _breaks(failure)
        command = ssh_command(self._node, self._target.config_file)
        parts.append(f"`{command}` must work without a password: see ssh-copy-id")
        return "; ".join(parts)

    @contextlib.contextmanager
    def _agent(self) -> Iterator[list[HeldKey]]:
        """Connect to the agent while its keys are tried; no keys when there is none."""
        path = socket_path(self._target.agent)
        agent = None
        try:
            agent = Agent(path) if path is not None else None
        except Exception as error:  # a library's parser on what some program says
            self._unused.append(f"no ssh-agent at {path} ({error})")
        try:
            yield agent.keys() if agent is not None else []
        finally:
            if agent is not None:
                agent.close()

    def _candidates(self, held: list[HeldKey]) -> Iterator[tuple[str, PKey]]:
        """Yield names and keys: CertificateFile, IdentityFile from the agent, the agent's, files.

        IdentitiesOnly leaves out the agent's others.
        """
        identities = list(self._identities())
        for certificate in self._certificates():
            yield from self._with_certificate(certificate, held, identities)
        named = [key for key in held if any(one.is_held_as(key) for one in identities)]
        others = [] if self._target.identities_only else [k for k in held if k not in named]
        for key in named + others:
            yield f"the agent's {key.comment or key.get_name()}", key
        for identity in identities:
            if not any(identity.is_held_as(key) for key in named):
                yield from self._of_identity(identity, held)

    def _identities(self) -> Iterator[_Identity]:
        for path in self._target.identity_files:
            public = keys.public_key(path)
            yield _Identity(path, public)
            if not self._target.certificate_files:
                beside = self._certificate(f"{path}-cert.pub")
                if beside is not None:
                    yield _Identity(path, public, beside)

    def _certificates(self) -> Iterator[Certificate]:
        for path in self._target.certificate_files:
            found = self._certificate(path)
            if found is not None:
                yield found

    def _certificate(self, path: str) -> Certificate | None:
        try:
            return keys.certificate(path)
        except FileNotFoundError:
            return None
        except UnusableKeyError as error:
            self._unused.append(str(error))
            return None

    def _with_certificate(
        self, certificate: Certificate, held: list[HeldKey], identities: list[_Identity]
    ) -> Iterator[tuple[str, PKey]]:
        """Yield the key that a certificate is for: the agent's, or a file's."""
        for key in held:
            if key.blob == certificate.key:
                yield certificate.path, key.with_certificate(certificate.blob)
                return
        for identity in identities:
            if identity.public not in (certificate.key, None):
                continue
            found = self._load(identity.path)
            if found is not None and found.asbytes() == certificate.key:
                found.public_blob = certificate.blob
                yield certificate.path, found
                return
        self._unused.append(f"{certificate.path} has no private key among the IdentityFiles")

    def _of_identity(self, identity: _Identity, held: list[HeldKey]) -> Iterator[tuple[str, PKey]]:
        if identity.certificate is not None:
            yield from self._with_certificate(identity.certificate, held, [identity])
            return
        key = self._load(identity.path)
        if key is not None:
            yield identity.path, key

    def _load(self, path: str) -> PKey | None:
        try:
            return keys.private_key(path)
        except FileNotFoundError:
            return None
        except UnusableKeyError as error:
            if str(error) not in self._unused:
                self._unused.append(str(error))
            return None

    def _source(self, name: str, key: PKey) -> _KeySource | None:
        """Return what tries a key, or None where the configuration rules it out."""
        shown = getattr(key, "public_blob", None)
        kind = str(shown.key_type if shown is not None else key.get_name())
        algorithms = signatures(kind, self._target.pubkey_algorithms)
        if not algorithms:
            self._unused.append(f"{name} is a {kind}, which PubkeyAcceptedAlgorithms rules out")
            return None
        inner = getattr(key, "inner_key", None) or key
        if isinstance(inner, RSAKey) and inner.get_bits() < self._target.required_rsa_size:
            smallest = self._target.required_rsa_size
            self._unused.append(f"{name} has fewer than {smallest} bits (RequiredRSASize)")
            return None
        return _KeySource(self._target.user, name, key, algorithms)


def _breaks(failure: AuthFailure) -> list[str]:
    """Return what ended the login before all keys were tried, [] when nothing did."""
    result = failure.result[-1].result
    if _HUNG_UP in str(result):
        return ["the server hung up, perhaps after too many keys: see IdentitiesOnly"]
    if _TOO_LATE in str(result):
        return ["the server did not answer any more"]
    is_answer = isinstance(result, AuthenticationException)
    return [] if is_answer else [f"the login broke off ({result})"]


def _demands(failure: AuthFailure) -> list[str]:
    """Return what the server asks for instead of a key, or besides."""
    found = [
        f"a key was good, but the server also wants {' or '.join(result.methods)}"
        for _, result in failure.result
        if isinstance(result, _PartialError)
    ]
    offers = _offers(failure)
    if offers and "publickey" not in offers:
        found.append(f"the server takes {' or '.join(offers)}, and no keys")
    return list(dict.fromkeys(found))


def _offers(failure: AuthFailure) -> list[str]:
    """Return how the server lets people in, as it says when nothing is tried."""
    first = failure.result[0].result
    return list(first.allowed_types) if isinstance(first, BadAuthenticationType) else []
