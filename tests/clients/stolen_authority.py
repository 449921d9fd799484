"""What can be signed with the key on a box's disk: its own names and addresses of local networks, and nothing else, whether OpenSSL
is asked or `cryptography`, whose rules are the Web's.

Argument: the box's authority.pem."""

import datetime
import ipaddress
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

text = Path(sys.argv[1]).read_bytes()
key = serialization.load_pem_private_key(re.search(rb"-----BEGIN PRIVATE.*?END PRIVATE KEY-----\n", text, re.S)[0], None)
signer, root = x509.load_pem_x509_certificates(text)
label = next(name.value for name in signer.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees
             if isinstance(name, x509.DNSName) and name.value.startswith("hob-") and name.value.endswith(".local"))


def general(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def forged(*names):
    now = datetime.datetime.now(datetime.timezone.utc)
    own = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateBuilder(
        issuer_name=signer.subject,
        subject_name=x509.Name([]),
        public_key=own.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - datetime.timedelta(hours=1),
        not_valid_after=now + datetime.timedelta(days=30),
    )
    usage = dict.fromkeys(
        ["content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign",
         "encipher_only", "decipher_only"], False)
    issuer = signer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    for extension, critical in [
        (x509.SubjectAlternativeName([general(name) for name in names]), True),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.KeyUsage(digital_signature=True, **usage), True),
        (x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.SubjectKeyIdentifier.from_public_key(own.public_key()), False),
        (x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer), False),
    ]:
        builder = builder.add_extension(extension, critical)
    return builder.sign(key, hashes.SHA256())


def taken_by_cryptography(leaf, name):
    try:
        PolicyBuilder().store(Store([root])).build_server_verifier(general(name)).verify(leaf, [signer])
        return True
    except VerificationError:
        return False


def taken_by_openssl(leaf, name):
    option = "-verify_ip" if isinstance(general(name), x509.IPAddress) else "-verify_hostname"
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, certificate in enumerate([root, signer, leaf]):
            paths.append(Path(folder, str(number)))
            paths[-1].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        verify = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", option, name]
        verify += ["-CAfile", paths[0], "-untrusted", paths[1], paths[2]]
        return subprocess.run(verify, capture_output=True).returncode == 0


own = [label, "localhost", f"chat.{label}", "192.168.178.20", "10.1.2.3", "172.31.0.1", "127.0.0.1", "fd12::1"]
foreign = ["evil.example", "other.local", "x" + label, "8.8.8.8", "172.32.0.1", "2001:db8::1"]
for taken in (taken_by_cryptography, taken_by_openssl):
    for name in own:
        assert taken(forged(name), name), (taken, name)
    for name in foreign:
        assert not taken(forged(name), name), (taken, name)
        assert not taken(forged(label, name), label), (taken, name, "beside one of its own")
