// Package deploy tries the program as it is run on a machine of its own: behind real proxies, with certificates
// of a real ACME server, under systemd's protocol, through its documents and its release.
package deploy
