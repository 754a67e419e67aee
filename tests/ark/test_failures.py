import pytest

from seedream_daemon.ark.failures import ArkError, Verdict, advice, sort_failure, spoils_job

TRIAL = "Your account [1] has exhausted its free trial quota for the [m] model."
PERIOD = "You have exceeded the weekly usage quota. It will reset at 2026-11-30."
QUEUE = "The request has exceeded the quota. Request id: 02"

TABLE = [
    (400, "MissingParameter", "", Verdict.NEVER),
    (400, "MissingParameter.prompt", "", Verdict.NEVER),
    (400, "InvalidParameter", "", Verdict.NEVER),
    (400, "InvalidParameter.OversizeImage", "", Verdict.NEVER),
    (400, "InvalidEndpoint.ClosedEndpoint", "", Verdict.NEVER),
    (400, "SensitiveContentDetected.SevereViolation", "", Verdict.NEVER),
    (400, "InputTextSensitiveContentDetected", "", Verdict.NEVER),
    (400, "InputImageSensitiveContentDetected.PrivacyInformation", "", Verdict.NEVER),
    (400, "OutputImageSensitiveContentDetected", "", Verdict.NEVER),
    (400, "OutputImageSensitiveContentDetected.DeepFake", "", Verdict.NEVER),
    (400, "OutputImageRiskDetection", "", Verdict.NEVER),
    (400, "ContentSecurityDetectionError", "", Verdict.NEVER),
    (400, "InvalidImageURL.EmptyURL", "", Verdict.NEVER),
    (400, "OutofContextError", "", Verdict.NEVER),
    (401, "AuthenticationError", "", Verdict.ACCOUNT),
    (401, "InvalidAccountStatus", "", Verdict.ACCOUNT),
    (403, "AccountOverdueError", "", Verdict.ACCOUNT),
    (403, "AccessDenied", "", Verdict.ACCOUNT),
    (403, "OperationDenied.ServiceOverdue", "", Verdict.ACCOUNT),
    (404, "InvalidEndpointOrModel.NotFound", "", Verdict.NEVER),
    (404, "InvalidEndpointOrModel.ModelIDAccessDisabled", "", Verdict.NEVER),
    (404, "ModelNotOpen", "", Verdict.ACCOUNT),
    (404, "NotFound.file", "", Verdict.NEVER),
    (404, "UnsupportedModel", "", Verdict.NEVER),
    (429, "ModelAccountIpmRateLimitExceeded", "", Verdict.AGAIN),
    (429, "ModelAccountRpmRateLimitExceeded", "", Verdict.AGAIN),
    (429, "ModelAccountTpmRateLimitExceeded", "", Verdict.AGAIN),
    (429, "APIAccountRpmRateLimitExceeded", "", Verdict.AGAIN),
    (429, "RateLimitExceeded.EndpointRPMExceeded", "", Verdict.AGAIN),
    (429, "ServerOverloaded", "", Verdict.AGAIN),
    (503, "ServerOverloaded", "", Verdict.AGAIN),
    (429, "RequestBurstTooFast", "", Verdict.AGAIN),
    (429, "InflightBatchsizeExceeded", "", Verdict.AGAIN),
    (429, "AccountRateLimitExceeded", "", Verdict.AGAIN),
    (429, "SetLimitExceeded", "", Verdict.ACCOUNT),
    (429, "AccountQuotaExceeded", "", Verdict.ACCOUNT),
    (429, "QuotaExceeded", TRIAL, Verdict.ACCOUNT),
    (429, "QuotaExceeded", PERIOD, Verdict.ACCOUNT),
    (429, "QuotaExceeded", QUEUE, Verdict.AGAIN),
    (500, "InternalServiceError", "", Verdict.AGAIN),
    # In a 200: the status says nothing, the code all.
    (200, "InternalServiceError", "", Verdict.AGAIN),
    (200, "OutputImageSensitiveContentDetected", "", Verdict.NEVER),
    (200, "ModelNotOpen", "", Verdict.ACCOUNT),
    (200, "BadRequest", "", Verdict.NEVER),
    (None, "SomethingNew", "", Verdict.NEVER),
    # Codes that nobody has told us of: by status.
    (400, "SomethingNew", "", Verdict.NEVER),
    (401, "SomethingNew", "", Verdict.ACCOUNT),
    (403, "SomethingNew", "", Verdict.ACCOUNT),
    (409, "SomethingNew", "", Verdict.AGAIN),
    (422, "SomethingNew", "", Verdict.NEVER),
    (429, "SomethingNew", "", Verdict.AGAIN),
    (500, "SomethingNew", "", Verdict.AGAIN),
    (504, "SomethingNew", "", Verdict.AGAIN),
    # Without Ark's envelope: a gateway's word.
    (404, "http_404", "", Verdict.NEVER),
    (408, "http_408", "", Verdict.AGAIN),
    (413, "http_413", "", Verdict.NEVER),
    (429, "http_429", "", Verdict.AGAIN),
    (302, "http_302", "", Verdict.NEVER),
    (500, "http_500", "", Verdict.IN_DOUBT),
    (502, "http_502", "", Verdict.IN_DOUBT),
    (503, "http_503", "no healthy upstream", Verdict.AGAIN),
    (503, "http_503", "reset reason: connection failure", Verdict.AGAIN),
    (503, "http_503", "reset reason: connection termination", Verdict.IN_DOUBT),
    (504, "http_504", "", Verdict.IN_DOUBT),
]


@pytest.mark.parametrize(("status", "code", "message", "verdict"), TABLE)
def test_a_refusal_is_sorted_by_its_code(status, code, message, verdict):
    assert sort_failure(status, code, message) is verdict


def test_every_account_wide_code_has_advice():
    for status, code, message, verdict in TABLE:
        if sort_failure(status, code, message) is Verdict.ACCOUNT and code != "SomethingNew":
            assert advice(code), (code, verdict)


def test_advice_falls_back_to_the_family_of_a_code():
    assert "real person" in advice("InputImageSensitiveContentDetected.PrivacyInformation")
    assert "photo" in advice("InputImageSensitiveContentDetected.PolicyViolation")
    assert advice("SomethingNew") is None


def test_a_wrong_model_spoils_the_job_and_a_refused_photo_does_not():
    assert spoils_job("InvalidEndpointOrModel.NotFound")
    assert spoils_job("http_404")
    assert not spoils_job("InputImageSensitiveContentDetected")


def test_the_error_says_code_and_message():
    error = ArkError(code="ModelNotOpen", message="Not open.", verdict=Verdict.ACCOUNT)
    assert str(error) == "ModelNotOpen: Not open."
