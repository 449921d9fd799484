"""sslyze's whole scan of the network's listener: nothing old, nothing weak, and Mozilla's intermediate profile."""

import sys
from pathlib import Path

from sslyze import (
    CertificateInfoExtraArgument,
    ScanCommand,
    ScanCommandAttemptStatusEnum,
    ScanCommandsExtraArguments,
    Scanner,
    ServerNetworkConfiguration,
    ServerNetworkLocation,
    ServerScanRequest,
)
from sslyze.mozilla_tls_profile.tls_config_checker import (
    MozillaTlsConfiguration,
    ServerNotCompliantWithTlsConfiguration,
    TlsConfigurationEnum,
    check_server_against_tls_configuration,
)

name, address, port, root = sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])

commands = set(ScanCommand) - {ScanCommand.HTTP_HEADERS}
request = ServerScanRequest(
    server_location=ServerNetworkLocation(hostname=name, port=port, ip_address=address),
    # A few at once: the box lets no address have many connections that say nothing of who they are.
    network_configuration=ServerNetworkConfiguration(tls_server_name_indication=name, network_timeout=10),
    scan_commands=commands,
    scan_commands_extra_arguments=ScanCommandsExtraArguments(
        certificate_info=CertificateInfoExtraArgument(custom_ca_file=root)
    ),
)
scanner = Scanner(per_server_concurrent_connections_limit=3)
scanner.queue_scans([request])
(result,) = scanner.get_results()
assert result.scan_result, result.connectivity_error_trace
found = result.scan_result

for command in commands:
    attempt = getattr(found, command.value)
    assert attempt.status == ScanCommandAttemptStatusEnum.COMPLETED, (command, attempt.error_trace)

for old in ("ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1"):
    assert not getattr(found, f"{old}_cipher_suites").result.is_tls_version_supported, old
for version in ("tls_1_2", "tls_1_3"):
    accepted = getattr(found, f"{version}_cipher_suites").result.accepted_cipher_suites
    assert accepted, version
    print(version, sorted(suite.cipher_suite.name for suite in accepted))
assert not found.session_renegotiation.result.is_vulnerable_to_client_renegotiation_dos
assert found.tls_1_3_early_data.result.supports_early_data is False
(deployment,) = found.certificate_info.result.certificate_deployments
assert deployment.received_chain_has_valid_order and deployment.verified_certificate_chain
assert not deployment.verified_chain_has_sha1_signature

try:
    profile = MozillaTlsConfiguration.get(TlsConfigurationEnum.MOZILLA_INTERMEDIATE)
    check_server_against_tls_configuration(result, profile)
    issues = {}
except ServerNotCompliantWithTlsConfiguration as refused:
    issues = dict(refused.issues)
print("issues", issues)
assert not issues, issues
