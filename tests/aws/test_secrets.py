"""What AWS, proxies and credential helpers say is repeated without their secrets."""

from __future__ import annotations

import pytest
from botocore.exceptions import (
    ClientError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    ProxyConnectionError,
)

from cutover.aws.retry import classify
from cutover.core.errors import traceback_text

SECRET = "hunter2"


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url=f"http://ana:{SECRET}@127.0.0.1:1/"),
        ProxyConnectionError(proxy_url=f"http://ana:{SECRET}@proxy:3128", error="refused"),
        HTTPClientError(error=f"no answer of https://ana:{SECRET}@proxy:3128"),
        CredentialRetrievalError(provider="custom-process", error_msg=f"the token is {SECRET}"),
        CredentialRetrievalError(provider="sso", error_msg=f"https://ana:{SECRET}@portal"),
        ClientError(
            {
                "Error": {
                    "Code": "SignatureDoesNotMatch",
                    "Message": f"the Canonical String was 'POST\nx-amz-security-token:{SECRET}\n'",
                }
            },
            "DescribeRules",
        ),
    ],
)
def test_what_a_failure_says_holds_no_secret_and_names_where_it_came_from(
    error: Exception,
) -> None:
    failure = classify(error)
    assert SECRET not in failure.message
    assert failure.message
    if isinstance(error, CredentialRetrievalError):
        assert failure.denied


def test_a_traceback_masks_secrets_and_leaves_out_what_a_credential_helper_wrote() -> None:
    def asks() -> None:
        raise CredentialRetrievalError(
            provider="custom-process", error_msg=f"first line\n{SECRET}"
        )

    def fails() -> None:
        try:
            asks()
        except CredentialRetrievalError as error:
            raise ValueError(f"http://ana:{SECRET}@proxy") from error

    with pytest.raises(ValueError, match="proxy") as caught:
        fails()
    said = traceback_text(caught.value)
    assert "in fails" in said
    assert SECRET not in said
