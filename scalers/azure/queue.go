package azure

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
)

func init() {
	scalers.Register(scalers.Kind[*queueConn, *Queue]{
		Types: []string{"azure-queue"}, Category: "azure", Since: "0.1.0", Label: "azureQueueScaler",
		Example: map[string]string{"queueName": "orders", "queueLength": "5"},
		ExampleAuth: map[string]string{
			"connection": "DefaultEndpointsProtocol=https;AccountName=shop;AccountKey=c2hvcC1rZXk=;EndpointSuffix=core.windows.net",
		},
		ReadAll: readQueues,
	})
}

// Queue scales on the number of messages in a queue of an Azure storage account.
type Queue struct {
	// Name of the queue.
	QueueName string `param:"queueName"`
	// Messages that one replica should handle.
	Length int64 `param:"queueLength" default:"5" min:"1" role:"target"`
	// Number of messages above which the workload leaves zero.
	ActivationLength int64 `param:"activationQueueLength,optional" role:"activation"`
	// Which messages to count: all, or visibleonly to leave out those that someone
	// has taken and not yet deleted. Where 32 or more are visible, both count all.
	Strategy string `param:"queueLengthStrategy" default:"all" enum:"all,visibleonly"`
	// Connection string of the storage account, for want of an identity.
	Connection param.Secret `param:"connection,optional" from:"auth,metadata,env"`
	// Name of the storage account, with the identity azure-workload.
	AccountName string `param:"accountName,optional"`
	// The cloud that the account is in, with the identity azure-workload.
	Cloud Cloud

	// Identity is that of the authentication.
	Identity scalers.Identity
}

// allMessages and visibleOnly are the strategies.
const (
	allMessages = "all"
	visibleOnly = "visibleonly"
)

// Bind keeps the identity.
func (q *Queue) Bind(s scalers.Setting) error {
	if q.Identity = s.Identity; q.Identity.Provider == "none" {
		q.Identity = scalers.Identity{}
	}
	return nil
}

// queueName is what the service lets a queue be called, but for its length.
var queueName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// Validate checks the rules that span parameters.
func (q *Queue) Validate() error {
	var name error
	if n := len(q.QueueName); n < 3 || n > 63 || !queueName.MatchString(q.QueueName) {
		name = fmt.Errorf("parameter queueName is %q, and a queue's name is 3 to 63 lower-case letters, digits and single hyphens between them", q.QueueName)
	}
	_, errAccount := q.account()
	if q.Identity.IsNone() { // else the account needs the suffix
		_, errCloud := q.Cloud.suffix(queueDomains)
		return errors.Join(name, errCloud, errAccount)
	}
	return errors.Join(name, errAccount)
}

// account is the queues of the account that is read.
func (q *Queue) account() (account, error) {
	switch q.Identity.Provider {
	case "":
		if q.Connection.Empty() {
			return account{}, errors.New("parameter connection is missing: give the storage account's connection string in the authentication " +
				"or as connectionFromEnv, or accountName and an authentication with the identity azure-workload")
		}
		return parseConnection(q.Connection.Reveal())
	case workload:
		suffix, errSuffix := q.Cloud.suffix(queueDomains)
		var errName error
		if q.AccountName == "" {
			errName = errors.New("parameter accountName is missing: the identity azure-workload needs the name of the storage account")
		} else if !accountName.MatchString(q.AccountName) {
			errName = fmt.Errorf("parameter accountName is %q, which is not the name of a storage account", q.AccountName)
		}
		return account{Endpoint: accountEndpoint("https", q.AccountName, suffix), Identity: q.Identity}, errors.Join(errName, errSuffix)
	default:
		return account{}, fmt.Errorf("the authentication has the identity %s, which cannot read a queue of Azure: "+
			"use azure-workload, or none and parameter connection", q.Identity.Provider)
	}
}

// Source is the storage account.
func (q *Queue) Source() scalers.Source[*queueConn] {
	a, _ := q.account() // Validate told
	return a
}

// Stem names the queue.
func (q *Queue) Stem() string { return "azure-queue-" + q.QueueName }

// Read counts the messages of one queue.
func (q *Queue) Read(ctx context.Context, c *queueConn) (scalers.Value, error) {
	var out [1]scalers.Result
	if err := readQueues(ctx, c, []*Queue{q}, out[:]); err != nil {
		return scalers.Value{}, err
	}
	return out[0].Value, out[0].Err
}
