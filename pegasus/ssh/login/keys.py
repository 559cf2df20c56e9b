"""Keys and certificates in files, read as OpenSSH reads them."""

from __future__ import annotations

import binascii
import copy
import os
import stat
from dataclasses import dataclass

from paramiko import ECDSAKey, Ed25519Key, Message, PasswordRequiredException, PKey, RSAKey
from paramiko.pkey import PublicBlob

from pegasus.ssh.openssh.algorithms import CERTIFICATE
from pegasus.ssh.unchanged import Unchanged

_CLASSES: dict[str, type[PKey]] = {
    "ssh-ed25519": Ed25519Key,
    "ecdsa-sha2-nistp256": ECDSAKey,
    "ecdsa-sha2-nistp384": ECDSAKey,
    "ecdsa-sha2-nistp521": ECDSAKey,
    "ssh-rsa": RSAKey,
}

_BEGIN, _END = "-----BEGIN OPENSSH PRIVATE KEY-----", "-----END OPENSSH PRIVATE KEY-----"


class UnusableKeyError(Exception):
    """A file has no key that can be used; the message says why and what to do."""


@dataclass(frozen=True)
class Certificate:
    """A certificate and the public key in it, both as bytes."""

    path: str
    blob: PublicBlob
    key: bytes

    @property
    def kind(self) -> str:
        return str(self.blob.key_type)


@dataclass(frozen=True)
class _PublicPart:
    """What of a file is a public key, None where that can't be told; and whether all of it is."""

    blob: bytes | None
    is_all: bool


def public_key(path: str) -> bytes | None:
    """Return the public key of an IdentityFile, or None where it can't be told.

    It stands beside the private key, or the file is a public key, or a private one's clear part.
    """
    beside, itself = _public_part(path + ".pub"), _public_part(path)
    return (beside if beside.is_all else itself).blob


def is_public(path: str) -> bool:
    """Return whether a file is a public key rather than a private one."""
    return _public_part(path).is_all


def certificate(path: str) -> Certificate:
    """Return the certificate in a file.

    Raises:
        UnusableKeyError: there is none of a type that is known here.
        FileNotFoundError: there is no such file.
    """
    if not os.path.exists(path):
        raise FileNotFoundError(path)
    words = _words(path)
    data = _decode(words[1]) if len(words) > 1 else None
    if data is None or not words[0].endswith(CERTIFICATE):
        raise UnusableKeyError(f"{path} has no certificate")
    try:
        key = _CLASSES[words[0].removesuffix(CERTIFICATE)](data=data)
    except Exception as error:  # a library's parser on a file of the user's
        raise UnusableKeyError(f"{path} has a certificate that can't be read") from error
    return Certificate(path, PublicBlob(words[0], data), bytes(key.asbytes()))


def private_key(path: str) -> PKey:
    """Return a private key without a passphrase.

    Raises:
        UnusableKeyError: there is none.
        FileNotFoundError: there is no such file.
    """
    _check_access(path)
    return copy.copy(_private_keys(path))  # its certificate is not another connection's


def _read_private_key(path: str) -> PKey:
    problem = "it is not a private key of a type that is known here"
    for kind in (Ed25519Key, ECDSAKey, RSAKey):
        try:
            return kind.from_private_key_file(path)
        except PasswordRequiredException as error:
            raise UnusableKeyError(f"{path} has a passphrase: ssh-add it") from error
        except OSError as error:
            raise UnusableKeyError(f"{path} can't be read ({error.strerror})") from error
        except Exception:  # noqa: S112 - a library's parser on a file of the user's
            continue
    if (public_key(path) or b"")[4:].startswith(b"sk-"):
        problem = "it is a security key's, which can only be used from an ssh-agent: ssh-add it"
    raise UnusableKeyError(f"{path} can't be used: {problem}")


def _check_access(path: str) -> None:
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(path) from error
    except OSError as error:
        raise UnusableKeyError(f"{path} can't be read ({error.strerror})") from error
    if not stat.S_ISREG(status.st_mode):
        raise UnusableKeyError(f"{path} is not a file")
    if is_public(path):
        raise UnusableKeyError(f"{path} is a public key, whose private one no ssh-agent has")
    if status.st_uid == os.getuid() and status.st_mode & 0o077:
        raise UnusableKeyError(f"{path} can be read by others, so it is not used: chmod 600 it")


def _public_part(path: str) -> _PublicPart:
    try:
        return _public_parts(path)
    except OSError:
        return _PublicPart(None, False)


def _read_public_part(path: str) -> _PublicPart:
    text = _text(path)
    words = text.split()
    if len(words) > 1 and (words[0] in _CLASSES or words[0].startswith("sk-")):
        return _PublicPart(_decode(words[1]), True)
    if _BEGIN not in text:
        return _PublicPart(None, False)
    inner = "".join(text.partition(_BEGIN)[2].partition(_END)[0].split())
    return _PublicPart(_clear_part(_decode(inner)), False)


def _clear_part(data: bytes | None) -> bytes | None:
    """Return the public key that stands unencrypted in OpenSSH's format of private keys."""
    magic = b"openssh-key-v1\0"
    if data is None or not data.startswith(magic):
        return None
    message = Message(data[len(magic) :])
    for _ in range(3):  # the cipher, and how the key to it is made
        message.get_string()
    return bytes(message.get_string()) if message.get_int() == 1 else None


def _text(path: str) -> str:
    """Return the text of a file; "" where there is none."""
    if not os.path.isfile(path):  # a pipe would keep us waiting
        return ""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(1 << 20)
    except OSError:
        return ""


def _words(path: str) -> list[str]:
    return _text(path).split()


def _decode(text: str) -> bytes | None:
    try:
        return binascii.a2b_base64(text)
    except (binascii.Error, ValueError):
        return None


# Each connection of a run uses the same few.
_private_keys = Unchanged(_read_private_key)
_public_parts = Unchanged(_read_public_part)
