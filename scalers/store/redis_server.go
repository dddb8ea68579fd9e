package store

import (
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/freshet-io/freshet/scalers/conn"
	"github.com/freshet-io/freshet/scalers/param"
)

// RedisServer says which Redis to read, and as whom.
type RedisServer struct {
	// Addresses as host:port, separated by commas: of the server (the first
	// counts), of any nodes of the cluster, or of the sentinels.
	Addresses []string `param:"address|addresses,optional" from:"metadata,auth,env"`
	// Host names, separated by commas, each with the port at the same place of
	// ports; an alternative to address.
	Hosts []string `param:"host|hosts,optional" from:"metadata,env,auth"`
	// Ports, separated by commas.
	Ports []string `param:"port|ports,optional" from:"metadata,env,auth"`
	// User name, for servers with an access control list.
	Username string `param:"username,optional" from:"metadata,env,auth"`
	// Password of the user or, without username, of the server.
	Password param.Secret `param:"password,optional" from:"metadata,env,auth"`
	// Connect with TLS: true or false.
	EnableTLS string `param:"enableTLS,optional"`
	// Connect with TLS, given in the authentication: enable or disable.
	TLSMode string `param:"tls,optional" from:"auth"`
	// Authorities, client certificate and checks of a TLS connection.
	TLS conn.TLS
}

// RedisDatabase is the part of a server that is read. A cluster has only one.
type RedisDatabase struct {
	// Number of the database.
	Database int `param:"databaseIndex,optional" min:"0"`
}

// RedisSentinel says which primary the sentinels are asked for, and as whom.
type RedisSentinel struct {
	// Name by which the sentinels know the primary.
	Master string `param:"sentinelMaster" from:"metadata,auth,env"`
	// User name at the sentinels, where they have an access control list.
	Username string `param:"sentinelUsername,optional" from:"metadata,auth,env"`
	// Password of the sentinels.
	Password param.Secret `param:"sentinelPassword,optional" from:"metadata,auth,env"`
}

// Validate checks the rules that span parameters.
func (r *RedisServer) Validate() error {
	_, noAddress := r.addresses()
	_, noTLS := r.useTLS()
	_, badTLS := r.TLS.Config()
	return errors.Join(noAddress, noTLS, badTLS)
}

// addresses joins the two forms in which addresses may be given.
func (r *RedisServer) addresses() ([]string, error) {
	if len(r.Hosts) != len(r.Ports) {
		return nil, fmt.Errorf("parameters host and port list %d hosts and %d ports: give one port for each host",
			len(r.Hosts), len(r.Ports))
	}
	all := r.Addresses[:len(r.Addresses):len(r.Addresses)]
	for i, host := range r.Hosts {
		all = append(all, net.JoinHostPort(host, r.Ports[i]))
	}
	if len(all) == 0 {
		return nil, errors.New("no server is given: set parameter address, or host and port, " +
			"in metadata, the authentication, or as addressFromEnv")
	}
	for _, a := range all {
		if _, _, err := net.SplitHostPort(a); err != nil {
			return nil, fmt.Errorf("address %q is not of the form host:port", a)
		}
	}
	return all, nil
}

func (r *RedisServer) useTLS() (bool, error) {
	switch {
	case r.EnableTLS != "" && r.TLSMode != "":
		return false, errors.New("parameters enableTLS and tls may not be given together: keep one of them")
	case r.EnableTLS != "":
		on, err := strconv.ParseBool(r.EnableTLS)
		if err != nil {
			return false, fmt.Errorf("parameter enableTLS is %q, which is neither true nor false", r.EnableTLS)
		}
		return on, nil
	case r.TLSMode == "enable":
		return true, nil
	case r.TLSMode == "" || r.TLSMode == "disable":
		return false, nil
	default:
		return false, fmt.Errorf("parameter tls is %q, which is neither enable nor disable", r.TLSMode)
	}
}

// login is how to connect to any server of validated parameters.
func (r *RedisServer) login(database int) redisLogin {
	l := redisLogin{Username: r.Username, Password: r.Password, Database: database}
	if l.UseTLS, _ = r.useTLS(); l.UseTLS {
		l.TLS = r.TLS
	}
	return l
}

// standalone is the source of a single server, the first of the addresses.
func (r *RedisServer) standalone(database int) redisSource {
	s := redisSource{Login: r.login(database)}
	if all, err := r.addresses(); err == nil {
		s.Address = all[0]
	}
	return s
}

// cluster is the source of a cluster, any of whose nodes have the addresses.
func (r *RedisServer) cluster() redisClusterSource {
	all, _ := r.addresses()
	return redisClusterSource{Addresses: all, Login: r.login(0)}
}

// behind is the source of the primary that the sentinels at the addresses name.
func (r *RedisServer) behind(s RedisSentinel, database int) redisSentinelSource {
	all, _ := r.addresses()
	asking := r.login(0)
	asking.Username, asking.Password = s.Username, s.Password
	return redisSentinelSource{Addresses: all, Master: s.Master, Asking: asking, Login: r.login(database)}
}
