"""What a refusal of the service means for the request, the job and the account.

The service answers 429 both for "try later" and for "you have run out", 404 both for a wrong
model and for one that is not activated: so the `code` of the answer decides, and the status only
where the code is unknown (error table: ModelArk/1299023).
"""

import re
from enum import StrEnum


class Verdict(StrEnum):
    """What to do about a request that failed."""

    AGAIN = "again"  # not billed; the same request may well succeed later
    NEVER = "never"  # not billed; the same request will be refused each time
    ACCOUNT = "account"  # not billed; every request will be refused until the operator acts
    IN_DOUBT = "in_doubt"  # may have been billed, and no answer came


class ArkError(Exception):
    """A request that gave no picture.

    `code` is the service's, `http_NNN` where the answer did not come from Ark itself, or one of
    ours for what happened on the way (see `advice`). `status` is None where no answer came.
    `retry_after_s` is how long the service asked to be left alone. `request_id` is the service's.
    """

    def __init__(
        self,
        *,
        code: str,
        message: str,
        verdict: Verdict,
        status: int | None = None,
        retry_after_s: float | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.verdict = verdict
        self.status = status
        self.retry_after_s = retry_after_s
        self.request_id = request_id

    def hide(self, secret: str) -> None:
        """Take a secret out of all that the service has said."""
        self.code, self.message = hidden(self.code, secret), hidden(self.message, secret)
        self.request_id = hidden(self.request_id, secret) if self.request_id else None
        self.args = (f"{self.code}: {self.message}",)


def hidden(text: str, secret: str) -> str:
    """Give a text of the service without a secret that it may repeat."""
    return text.replace(secret, "[key]") if secret else text


# Codes up to their first dot. A longer code is looked up whole first.
_AGAIN = frozenset(
    {
        "RateLimitExceeded",
        "ServerOverloaded",
        "RequestBurstTooFast",
        "InflightBatchsizeExceeded",
        "AccountRateLimitExceeded",
        # An answer that says "failed" is an answer: only successful pictures are billed.
        "InternalServiceError",
    }
)
_ACCOUNT = frozenset(
    {
        "AuthenticationError",
        "InvalidAccountStatus",
        "AccountOverdueError",
        "AccountQuotaExceeded",
        "AccessDenied",
        "OperationDenied",
        "ModelNotOpen",
        "SetLimitExceeded",
    }
)
_NEVER = frozenset(
    {
        "BadRequest",
        "MissingParameter",
        "InvalidParameter",
        "InvalidEndpoint",
        "InvalidEndpointOrModel",
        "InvalidImageURL",
        "OutofContextError",
        "ContentSecurityDetectionError",
        "NotFound",
        "UnsupportedModel",
    }
)
# Refusals of what is shown or asked: SensitiveContentDetected, InputTextSensitiveContentDetected,
# OutputImageRiskDetection and their subcodes.
_CONTENT = re.compile(r"(SensitiveContentDetected|RiskDetection)$")
# ModelAccountIpmRateLimitExceeded, APIAccountRpmRateLimitExceeded and their siblings.
_RATE = re.compile(r"RateLimitExceeded$")
_OURS = re.compile(r"^http_\d{3}$")


def sort_failure(status: int | None, code: str, message: str) -> Verdict:
    """Sort an answer that reports a failure.

    `code` is `http_NNN` for an answer without Ark's envelope, from a gateway on the way. Failures
    without any answer are not sorted here: only the sender knows how much had been sent.
    """
    family = code.partition(".")[0]
    if family == "QuotaExceeded":
        return _sort_quota(message)
    if family in _ACCOUNT:
        return Verdict.ACCOUNT
    if family in _AGAIN or _RATE.search(family):
        return Verdict.AGAIN
    if family in _NEVER or _CONTENT.search(family):
        return Verdict.NEVER
    if _OURS.match(code):
        return _sort_gateway(status or 0, message)
    return _sort_status(status or 400)


def _sort_quota(message: str) -> Verdict:
    # One code, three meanings: the trial is used up, the quota of a period is used up, or the
    # queue of the service is full. Only the last passes by itself.
    text = message.casefold()
    if "exceeded the quota" in text and "trial" not in text and "usage" not in text:
        return Verdict.AGAIN
    return Verdict.ACCOUNT


def _sort_status(status: int) -> Verdict:
    """Sort a code that nobody has told us of, in an answer of Ark itself."""
    # Every documented 403 is about the account; to pause for one that is not loses nothing.
    if status in {401, 402, 403}:
        return Verdict.ACCOUNT
    if status in {408, 409, 425, 429} or status >= 500:
        return Verdict.AGAIN
    return Verdict.NEVER


def _sort_gateway(status: int, message: str) -> Verdict:
    """Sort an answer without Ark's envelope: something between us and Ark wrote it."""
    if status < 500:
        return _sort_status(status)
    # 502 and 504 say that the request was handed on and no answer was understood, or none came in
    # time. A bare 500 is a crash of whoever had the request. Each may have been billed.
    # 503 is said by a gateway that finds nobody to hand it to: not billed; except when its text
    # tells that a connection broke that had the request already.
    broke = "connection termination" in message or "remote reset" in message
    if status == 503 and not broke:
        return Verdict.AGAIN
    return Verdict.IN_DOUBT


_SPOILS = frozenset({"InvalidEndpoint", "InvalidEndpointOrModel", "UnsupportedModel", "NotFound"})


def spoils_job(code: str) -> bool:
    """Say whether each further request for the same model is sure to be refused likewise."""
    return code.partition(".")[0] in _SPOILS or code in {"http_404", "http_405"}


_ADVICE = {
    "AuthenticationError": "The service does not accept the API key. Set ARK_API_KEY to a key of "
    "the same region and service as ARK_BASE_URL.",
    "InvalidAccountStatus": "The account is not in order. Look at its state in the console.",
    "AccountOverdueError": "The account has an unpaid balance. Pay it in the console's billing "
    "pages.",
    "AccessDenied": "The key may not use this service. Give it the right in the console.",
    "OperationDenied": "The model service is not open to this account, or its balance is "
    "overdue. Look at the console's model activation and billing pages.",
    "ModelNotOpen": "The model is not activated for this account. Activate it in the console "
    "under Model Activation.",
    "SetLimitExceeded": "The limit that you set for this model is reached, and the service has "
    'paused it. Raise it or close "Safe Experience Mode" in the console under Model Activation.',
    "QuotaExceeded": "The account's quota for this model is used up. Buy more or wait until it "
    "is renewed.",
    "AccountQuotaExceeded": "The account's quota is used up. Buy more or wait until it is renewed.",
    "InvalidEndpointOrModel": "The service does not know this model, or the account may not use "
    "it. Look at the spelling of `model`; the list is in the console.",
    "InvalidEndpoint": "The endpoint is closed. Start it in the console or name another model.",
    "UnsupportedModel": "The plan of this key does not have this model. Name another one.",
    "InvalidParameter.OversizeImage": "A photo has more bytes than the service takes. Send a "
    'smaller one or set `oversize = "shrink"`.',
    "InvalidImageURL": "The service could not read a photo. Save it again as JPEG or PNG.",
    "OutofContextError": "The prompt is too long. Shorten it.",
    "InputTextSensitiveContentDetected": "The service refuses the prompt for its content. Word it "
    "differently.",
    "SensitiveContentDetected": "The service refuses the prompt for its content. Word it "
    "differently.",
    "InputImageSensitiveContentDetected": "The service refuses a photo for its content. Use "
    "another photo.",
    "InputImageSensitiveContentDetected.PrivacyInformation": "The service takes a photo to show a "
    "real person and refuses it. Use another photo.",
    "OutputImageSensitiveContentDetected": "The service made the picture and withheld it for its "
    "content; it was not billed. Ask again or word the prompt differently.",
    "InputTextRiskDetection": "The service refuses the prompt for its content. Word it "
    "differently.",
    "InputImageRiskDetection": "The service refuses a photo for its content. Use another photo.",
    "OutputImageRiskDetection": "The service withheld the picture for its content. Ask again or "
    "word the prompt differently.",
    "ModelAccountIpmRateLimitExceeded": "More pictures per minute were asked for than the account "
    "may have. Set IMAGES_PER_MINUTE lower.",
    "ServerOverloaded": "The service is overloaded. It is asked again by itself.",
    "InternalServiceError": "The service failed inside. It is asked again by itself.",
    "connect_failed": "The service could not be reached. Look at the network and at ARK_BASE_URL.",
    "send_failed": "The connection broke while the request was being sent; nothing was billed.",
    "answer_timeout": "The request was sent and no answer came in time; it may have been billed.",
    "answer_cut": "The request was sent and its answer was cut off; it may have been billed.",
    "bad_answer": "The answer of the service could not be read; it may have been billed.",
    "photo_changed": "A photo changed while it was being sent; nothing was billed. Leave photos "
    "alone while their job runs.",
    "http_404": "There is no such address. Look at ARK_BASE_URL; it ends in /api/v3.",
    "http_407": "The proxy wants to be logged in to. Look at HTTPS_PROXY.",
    "http_413": "Something on the way does not let requests of this size through. Send fewer or "
    'smaller photos (`oversize = "shrink"`).',
}


def advice(code: str) -> str | None:
    """Say in plain words what *code* means and what to do, or None where nothing is known."""
    return _ADVICE.get(code) or _ADVICE.get(code.partition(".")[0])
