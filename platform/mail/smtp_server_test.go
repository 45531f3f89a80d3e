package mail_test

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	netmail "net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/mindspace-app/mindspace/platform/mail"
)

// smtpServer is aiosmtpd, in a process of its own. testdata/server.py says what it does.
type smtpServer struct {
	port   string
	roots  *x509.CertPool
	events *bufio.Scanner
}

// event is a line that the server prints.
type event struct {
	Event      string   `json:"event"`
	Port       int      `json:"port"`
	Sender     string   `json:"sender"`
	Recipients []string `json:"recipients"`
	Data       []byte   `json:"data"`
	TLS        bool     `json:"tls"`
	User       string   `json:"user"`
	HELO       string   `json:"helo"`
}

// python gives an interpreter that has aiosmtpd; empty is none.
var python = sync.OnceValue(func() string {
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(name, "-c", "import aiosmtpd").Run() == nil {
			return name
		}
	}
	return ""
})

// startServer starts a server; see testdata/server.py for the mode. With a user it asks for the password.
func startServer(t *testing.T, mode string, account ...string) *smtpServer {
	t.Helper()
	if python() == "" {
		const missing = "aiosmtpd is not installed: apt-get install python3-aiosmtpd"
		if os.Getenv("MINDSPACE_TEST_STRICT") == "1" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	s := &smtpServer{}
	arguments := []string{filepath.Join("testdata", "server.py"), mode}
	if mode != "PLAIN" {
		var certificate, key string
		certificate, key, s.roots = writeCertificate(t)
		arguments = append(arguments, certificate, key)
	}
	command := exec.Command(python(), append(arguments, account...)...)
	var complaints bytes.Buffer
	command.Stderr = &complaints
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		command.Process.Kill()
		command.Wait()
		if t.Failed() {
			t.Logf("the server wrote:\n%s", complaints.String())
		}
	})
	s.events = bufio.NewScanner(stdout)
	s.events.Buffer(nil, 1<<20)
	s.port = strconv.Itoa(s.next(t, "listening").Port)
	return s
}

// open gives a sender to this server: its port and the options are added to the address, and whatever the host in it, it leads here.
func (s *smtpServer) open(t *testing.T, address, options string) mail.Sender {
	t.Helper()
	sender := open(t, address+":"+s.port+options)
	mail.Redirect(sender, net.JoinHostPort("127.0.0.1", s.port))
	return sender
}

// next waits for the next thing that happens at the server.
func (s *smtpServer) next(t *testing.T, want string) event {
	t.Helper()
	if !s.events.Scan() {
		t.Fatalf("the server is gone: %v", s.events.Err())
	}
	var e event
	if err := json.Unmarshal(s.events.Bytes(), &e); err != nil {
		t.Fatal(err)
	}
	if e.Event != want {
		t.Fatalf("the server tells of %q, want %q", e.Event, want)
	}
	return e
}

// message waits for a message.
func (s *smtpServer) message(t *testing.T) (event, *netmail.Message) {
	t.Helper()
	e := s.next(t, "message")
	m, err := netmail.ReadMessage(bytes.NewReader(e.Data))
	if err != nil {
		t.Fatal(err)
	}
	return e, m
}

// writeCertificate makes a certificate for this machine that nobody but the pool trusts.
func writeCertificate(t *testing.T) (certificateFile, keyFile string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost", "mail.example.test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	parsed, err := x509.ParseCertificate(certificate)
	if err != nil {
		t.Fatal(err)
	}
	roots = x509.NewCertPool()
	roots.AddCert(parsed)
	return write("certificate.pem", "CERTIFICATE", certificate), write("key.pem", "PRIVATE KEY", private), roots
}

// readAll gives what r holds.
func readAll(t *testing.T, r io.Reader) string {
	t.Helper()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
