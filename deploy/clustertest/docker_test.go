package clustertest

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"
	"github.com/testcontainers/testcontainers-go/network"
	"github.com/testcontainers/testcontainers-go/wait"

	"bandwidthworker/deploy/deploytest"
)

func TestMain(m *testing.M) {
	log.SetDefault(quiet{}) // the library tells of every step; an error comes back all the same
	os.Exit(deploytest.Main(m))
}

// quiet is a log that keeps nothing.
type quiet struct{}

// Printf keeps nothing.
func (quiet) Printf(string, ...any) {}

// startLimit bounds the start of a container.
const startLimit = 60 * time.Second

// stage is a network of containers and the images that they run.
type stage struct {
	t       *testing.T
	docker  *testcontainers.DockerClient
	network *testcontainers.DockerNetwork
	worker  string // images
	nats    string
}

// newStage builds the images and makes a network. Everything is removed with the test. Without Docker the test is
// skipped, unless CI is true.
func newStage(t *testing.T) *stage {
	t.Helper()
	for name, value := range map[string]string{
		"TESTCONTAINERS_RYUK_DISABLED": "true",      // the reaper is an image that would be pulled
		"TESTCONTAINERS_HOST_OVERRIDE": "127.0.0.1", // where the mapped ports are
	} {
		if os.Getenv(name) == "" {
			t.Setenv(name, value)
		}
	}
	docker, err := dial(t.Context())
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("Docker does not answer: %v", err)
		}
		t.Skipf("Docker does not answer, and CI is not true: %v", err)
	}
	t.Cleanup(func() { _ = docker.Close() })
	s := &stage{t: t, docker: docker}
	binaries := deploytest.Build(t)
	s.worker = s.build("../Dockerfile", map[string]string{
		"worker": binaries.Worker, "publish": binaries.Publish, "ca-certificates.crt": certificates(t),
	})
	s.nats = s.build("testdata/nats.Dockerfile", map[string]string{"nats-server": binaries.NATSServer})
	if s.network, err = network.New(t.Context()); err != nil {
		t.Fatal(err)
	}
	testcontainers.CleanupNetwork(t, s.network)
	return s
}

// dial connects to Docker. The library panics where it finds no engine at all.
func dial(ctx context.Context) (docker *testcontainers.DockerClient, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	if docker, err = testcontainers.NewDockerClientWithOpts(ctx); err != nil {
		return nil, err
	}
	_, err = docker.Ping(ctx, client.PingOptions{})
	return docker, err
}

// certificates returns a file of certificate authorities: the machine's, or an empty one, since the simulator speaks
// plain HTTP.
func certificates(t *testing.T) string {
	t.Helper()
	const path = "/etc/ssl/certs/ca-certificates.crt"
	if _, err := os.Stat(path); err == nil {
		return path
	}
	empty := filepath.Join(t.TempDir(), "ca-certificates.crt")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return empty
}

// build builds an image from a Dockerfile and the files of its context, by their names there.
func (s *stage) build(dockerfile string, files map[string]string) string {
	s.t.Helper()
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	add := func(name, path string) {
		data, err := os.ReadFile(path)
		if err == nil {
			err = w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(data))})
		}
		if err == nil {
			_, err = w.Write(data)
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
	add("Dockerfile", dockerfile)
	for name, path := range files {
		add(name, path)
	}
	if err := w.Close(); err != nil {
		s.t.Fatal(err)
	}
	provider, err := testcontainers.NewDockerProvider()
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = provider.Close() }()
	var said bytes.Buffer
	image, err := provider.BuildImage(s.t.Context(), &testcontainers.ContainerRequest{FromDockerfile: testcontainers.FromDockerfile{
		ContextArchive: bytes.NewReader(archive.Bytes()), BuildLogWriter: &said,
	}})
	if err != nil {
		s.t.Fatalf("build %s: %v\n%s", dockerfile, err, said.String())
	}
	s.t.Cleanup(func() {
		if _, err := s.docker.ImageRemove(context.Background(), image, client.ImageRemoveOptions{Force: true, PruneChildren: true}); err != nil {
			s.t.Errorf("remove the image of %s: %v", dockerfile, err)
		}
	})
	return image
}

// run starts a container under a name in the network and returns when it is ready.
func (s *stage) run(name, image string, ready wait.Strategy, options ...testcontainers.ContainerCustomizer) *testcontainers.DockerContainer {
	s.t.Helper()
	c, err := s.try(name, image, ready, options...)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// try is run that returns its error.
func (s *stage) try(name, image string, ready wait.Strategy, options ...testcontainers.ContainerCustomizer) (*testcontainers.DockerContainer, error) {
	options = append([]testcontainers.ContainerCustomizer{
		network.WithNetwork([]string{name}, s.network), testcontainers.WithWaitStrategyAndDeadline(startLimit, ready),
	}, options...)
	c, err := testcontainers.Run(s.t.Context(), image, options...)
	s.t.Cleanup(func() {
		if c == nil {
			return
		}
		if s.t.Failed() {
			s.t.Logf("the last lines of %s:\n%s", name, tail(c))
		}
		if err := testcontainers.TerminateContainer(c, testcontainers.StopTimeout(0)); err != nil {
			s.t.Errorf("remove the container %s: %v", name, err)
		}
	})
	if err != nil {
		return c, fmt.Errorf("start the container %s: %w", name, err)
	}
	return c, nil
}

// tail returns the last lines that a container wrote.
func tail(c *testcontainers.DockerContainer) string {
	logs, err := c.Logs(context.Background())
	if err != nil {
		return err.Error()
	}
	defer func() { _ = logs.Close() }()
	data, err := io.ReadAll(logs)
	if err != nil {
		return err.Error()
	}
	return string(data[max(0, len(data)-4000):])
}

// endpoint returns where a container's port is reached from here, as scheme://host:port.
func (s *stage) endpoint(c *testcontainers.DockerContainer, scheme, port string) string {
	s.t.Helper()
	url, err := c.PortEndpoint(s.t.Context(), port, scheme)
	if err != nil {
		s.t.Fatal(err)
	}
	return url
}
