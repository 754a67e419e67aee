"""What the service says when it refuses, word for word where the words are known.

Codes and texts: Volcengine 82379/1299023 and bodies printed by users of the live service.
"""

from collections.abc import Mapping


class RefusalError(Exception):
    """A request that is answered by an error; nothing is drawn and nothing is billed."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        kind: str = "",
        param: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.kind = kind
        self.param = param
        self.retry_after_s = retry_after_s

    def body(self, request_id: str) -> Mapping[str, object]:
        """Give the error's envelope, the request's id at the end of its message."""
        word = "request id" if self.status == 401 else "Request id"
        return {
            "error": {
                "code": self.code,
                "message": f"{self.message} {word}: {request_id}",
                "param": self.param,
                "type": self.kind,
            }
        }


def invalid(param: str, why: str = "", *, code: str = "InvalidParameter") -> RefusalError:
    """Refuse the value of a field."""
    end = f": {why}" if why else "."
    text = f"The parameter `{param}` specified in the request is not valid{end}"
    return RefusalError(400, code, text, kind="BadRequest", param=param)


def unsupported(param: str) -> RefusalError:
    """Refuse a field that this model does not know."""
    text = f"The parameter `{param}` is not supported by the current model"
    return RefusalError(400, "InvalidParameter", text, kind="BadRequest", param=param)


def missing(param: str) -> RefusalError:
    """Refuse a request that lacks a field."""
    text = "The request failed because it is missing one or multiple required parameters."
    return RefusalError(400, "MissingParameter", text, kind="BadRequest", param=param)


def unreadable_body() -> RefusalError:
    """Refuse a body that is no JSON object."""
    text = "One or more parameters specified in the request are not valid."
    return RefusalError(400, "InvalidParameter", text, kind="BadRequest")


def no_key() -> RefusalError:
    """Refuse a request without a key, or with a wrong one."""
    text = "the API key or AK/SK in the request is missing or invalid."
    return RefusalError(401, "AuthenticationError", text, kind="Unauthorized")


def unknown_model(model: str) -> RefusalError:
    """Refuse a model that does not exist."""
    text = f"The model or endpoint {model} does not exist or you do not have access to it."
    return RefusalError(404, "InvalidEndpointOrModel.NotFound", text, kind="NotFound")


def not_open(model: str) -> RefusalError:
    """Refuse a model that the account has not activated."""
    text = (
        f"Your account 2100000000 has not activated the model {model}. "
        "Please activate the model service in the Ark Console."
    )
    return RefusalError(404, "ModelNotOpen", text, kind="NotFound")


def too_many_images(retry_after_s: float | None) -> RefusalError:
    """Refuse because of the limit of images per minute."""
    text = "IPM (Images Per Minute) limit of the model is exceeded."
    return RefusalError(
        429,
        "ModelAccountIpmRateLimitExceeded",
        text,
        kind="TooManyRequests",
        retry_after_s=retry_after_s,
    )


def set_limit(model: str) -> RefusalError:
    """Refuse because the account has spent what its owner allowed."""
    text = (
        f"Your account [2100000000] has reached the set inference limit for the [{model}] model, "
        "and the model service has been paused. To continue using this model, please visit the "
        'Model Activation page to adjust or close the "Safe Experience Mode".'
    )
    return RefusalError(429, "SetLimitExceeded", text, kind="TooManyRequests")


def internal(retry_after_s: float | None = None) -> RefusalError:
    """Refuse because of trouble inside the service."""
    text = "The service encountered an unexpected internal error. Please retry later."
    return RefusalError(
        500,
        "InternalServiceError",
        text,
        kind="InternalServerError",
        retry_after_s=retry_after_s,
    )


def moderated() -> RefusalError:
    """Refuse because of what the picture would show."""
    text = "The request failed because the output image may contain sensitive information."
    return RefusalError(400, "OutputImageSensitiveContentDetected", text, kind="BadRequest")
