package azure

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2/queueerror"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/conn"
)

// queueError gives an error of the library its class and a text of one line. raw
// is the answer, if there was one.
func queueError(ctx context.Context, queue string, raw *http.Response, err error) error {
	var lost *unreachable
	var classed *scalers.Error
	var status *azcore.ResponseError
	switch {
	case ctx.Err() != nil:
		return &unreachable{ctx.Err()}
	case errors.As(err, &lost):
		return lost
	case errors.As(err, &classed):
		return classed
	case errors.As(err, &status):
		return statusError(queue, status)
	default: // the library's text may hold all of the answer
		return wrongContent(raw, "what the queue service of Azure Storage answers")
	}
}

// wrongContent says that an answer with status 200 is not what it should be.
func wrongContent(raw *http.Response, want string) error {
	if isWebPage(raw) {
		return scalers.UnavailableError("the server answers with a web page and not with %s: it is the wrong address, or a page to log in", want)
	}
	return scalers.UnavailableError("the server does not answer with %s", want)
}

func isWebPage(raw *http.Response) bool {
	return raw != nil && strings.HasPrefix(raw.Header.Get("Content-Type"), "text/html")
}

// errorCode is what the service's codes look like.
var errorCode = regexp.MustCompile(`^[A-Za-z0-9]{1,64}$`)

// statusError gives an answer of another status than 200 its class.
func statusError(queue string, status *azcore.ResponseError) error {
	answer := "status " + strconv.Itoa(status.StatusCode)
	switch {
	case errorCode.MatchString(status.ErrorCode):
		answer += " " + status.ErrorCode
	case isWebPage(status.RawResponse):
		answer += " and a web page"
	}
	switch code := queueerror.Code(status.ErrorCode); code {
	case queueerror.QueueNotFound:
		return scalers.ConfigurationError("the storage account has no queue %q: create it, or change parameter queueName (%s)", queue, answer)
	case queueerror.InvalidResourceName, queueerror.OutOfRangeInput:
		return scalers.ConfigurationError("no queue can have the name %q: change parameter queueName (%s)", queue, answer)
	case queueerror.QueueDisabled, queueerror.AccountIsDisabled:
		return scalers.ConfigurationError("queue %q or its storage account is disabled: enable it (%s)", queue, answer)
	case queueerror.ServerBusy:
		return scalers.RateLimitedError(conn.RetryAfter(status.RawResponse.Header), "the service is busy and asks to be left alone (%s)", answer)
	case queueerror.AuthenticationFailed, queueerror.InvalidAuthenticationInfo, "NoAuthenticationInformation":
		return scalers.AuthenticationError("the service refuses the credentials: check parameter connection or the identity (%s)", answer)
	}
	switch status.StatusCode {
	case http.StatusTooManyRequests:
		return scalers.RateLimitedError(conn.RetryAfter(status.RawResponse.Header), "the service asks to be left alone (%s)", answer)
	case http.StatusUnauthorized, http.StatusForbidden:
		return scalers.AuthenticationError("the service forbids to read queue %q: give the identity the role Storage Queue Data Reader, or the "+
			"shared access signature the right to read (r) queues and messages, and let Freshet's network in (%s)", queue, answer)
	case http.StatusBadRequest, http.StatusNotFound:
		return scalers.ConfigurationError("the server does not know queue %q: check the account and parameter queueName (%s)", queue, answer)
	}
	return scalers.UnavailableError("the server answers with %s", answer)
}
