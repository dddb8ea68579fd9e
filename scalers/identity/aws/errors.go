package aws

import (
	"errors"
	"fmt"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/identity"
)

// Explain gives an error of the AWS libraries its class and a text of one line
// without secrets. doing says what was asked of AWS.
func Explain(doing string, err error) error {
	var classed *scalers.Error
	if errors.As(err, &classed) {
		return err
	}
	service := "AWS"
	var operation *smithy.OperationError
	for inner := err; errors.As(inner, &operation); inner = operation.Unwrap() { // the innermost is the one that failed
		service = "AWS " + operation.Service()
	}
	var said smithy.APIError
	if !errors.As(err, &said) {
		return unsaid(service, doing, err)
	}
	text := fmt.Sprintf("%s, %s: %s", service, doing, said.ErrorCode())
	code := said.ErrorCode()
	switch {
	case strings.Contains(code, "Signature"): // its message holds what was signed, with the session
		return scalers.AuthenticationError("%s: the access key and its secret do not belong together, or the clock is wrong", text)
	case denied(code):
		return scalers.AuthenticationError("%s%s", text, identity.Saying(said.ErrorMessage()))
	case strings.Contains(code, "Throttl"), strings.HasPrefix(code, "TooManyRequests"), code == "RequestLimitExceeded", code == "SlowDown":
		return scalers.RateLimitedError(0, "%s%s", text, identity.Saying(said.ErrorMessage()))
	case said.ErrorFault() == smithy.FaultClient, status(err) >= 400 && status(err) < 500:
		return scalers.ConfigurationError("%s%s", text, identity.Saying(said.ErrorMessage()))
	default:
		return scalers.UnavailableError("%s%s", text, identity.Saying(said.ErrorMessage()))
	}
}

// denied tells whether the code is of credentials or rights.
func denied(code string) bool {
	for _, part := range []string{
		"AccessDenied", "Expired", "InvalidClientTokenId", "UnrecognizedClient", "MissingAuthenticationToken", "InvalidIdentityToken",
		"InvalidAccessKeyId", "IDPRejectedClaim", "NotAuthorized", "OptInRequired", "Unauthorized",
	} {
		if strings.Contains(code, part) {
			return true
		}
	}
	return false
}

func status(err error) int {
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		return response.HTTPStatusCode()
	}
	return 0
}

// unsaid explains an error that no service told: there was no answer, or there
// are no credentials to ask with.
func unsaid(service, doing string, err error) error {
	var unsent *smithyhttp.RequestSendError
	var response *awshttp.ResponseError
	answered := errors.As(err, &response)
	if service == machine || (!answered && !errors.As(err, &unsent) && !scalers.IsTimeout(err)) {
		return scalers.AuthenticationError("AWS, %s: Freshet's environment has no AWS credentials: give keys, or set up an identity of its pod", doing)
	}
	return identity.Unanswered(service, doing, err)
}

// machine is the service that a machine of AWS has credentials from, which is
// asked at last, and is nowhere else.
const machine = "AWS ec2imds"
