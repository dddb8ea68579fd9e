package servers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// kafkaVersion is the version of Apache Kafka that is installed. It needs Java
// 17 or newer.
const kafkaVersion = "4.1.1"

// kafkaProject tells Maven what a broker runs on. The second dependency writes
// what the broker logs to its standard error.
const kafkaProject = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>kafka</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>` + kafkaVersion + `</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
`

// kafkaArchive is the file beside the jars in which Java keeps the classes of a
// broker that ran once: with it the next ones start in half the time.
const kafkaArchive = "classes.jsa"

// kafkaFolder is where the jars of Kafka are; it may not exist.
func kafkaFolder() (string, error) {
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "kafka-"+kafkaVersion), nil
}

// kafkaJava is how programs of Kafka are started: Java and its first arguments.
type kafkaJava struct {
	program string
	args    []string
}

// lookKafka finds Java and the jars.
func lookKafka() (kafkaJava, error) {
	java, err := lookPath("java")
	if err != nil {
		return kafkaJava{}, err
	}
	folder, err := kafkaFolder()
	if err != nil {
		return kafkaJava{}, err
	}
	if _, err := os.Stat(folder); err != nil {
		return kafkaJava{}, fmt.Errorf("kafka is %w: make test installs it (org.apache.kafka:kafka_2.13:%s)", errNotInstalled, kafkaVersion)
	}
	return newKafkaJava(java, folder, "-XX:SharedArchiveFile="+filepath.Join(folder, kafkaArchive))
}

// newKafkaJava starts quickly and stays small rather than running fast.
func newKafkaJava(java, folder string, more ...string) (kafkaJava, error) {
	jars, err := filepath.Glob(filepath.Join(folder, "*.jar"))
	if err != nil || len(jars) == 0 {
		return kafkaJava{}, fmt.Errorf("there are no jars in %s: remove it and install again", folder)
	}
	slices.Sort(jars) // the archive of classes is good for one order only
	return kafkaJava{java, slices.Concat(more, []string{
		"-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xlog:disable", "-Xlog:all=error:stderr",
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", strings.Join(jars, ":"),
	})}, nil
}

// command is the program whose main function the class has.
func (j kafkaJava) command(ctx context.Context, class string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, j.program, slices.Concat(j.args, []string{class}, args)...) //nolint:gosec // what to run is fixed here
}

// installKafka has Maven fetch the jars, unless they are there, and installs Java
// and Maven where they are missing.
func installKafka(ctx context.Context, log io.Writer) error {
	if err := Install(ctx, log, packages["java"], "java"); err != nil {
		return err
	}
	folder, err := kafkaFolder()
	if err != nil {
		return err
	}
	if _, err := os.Stat(folder); err == nil {
		return nil
	}
	if err := Install(ctx, log, packages["mvn"], "mvn"); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(log, "installing Apache Kafka %s (mvn dependency:copy-dependencies)\n", kafkaVersion)
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil { //nolint:gosec // holds nothing secret
		return fmt.Errorf("making the cache folder: %w", err)
	}
	fresh, err := os.MkdirTemp(filepath.Dir(folder), "kafka-")
	if err != nil {
		return fmt.Errorf("making the folder of the jars: %w", err)
	}
	defer func() { _ = os.RemoveAll(fresh) }() // gone already when all went well
	if err := copyJars(ctx, log, fresh); err != nil {
		return err
	}
	if err := os.Rename(fresh, folder); err != nil && !errors.Is(err, os.ErrExist) { // another process may have been quicker
		return fmt.Errorf("keeping the jars: %w", err)
	}
	return archiveClasses(ctx, folder)
}

// copyJars puts all jars of a broker into the folder.
func copyJars(ctx context.Context, log io.Writer, folder string) error {
	project := filepath.Join(folder, "pom.xml")
	if err := os.WriteFile(project, []byte(kafkaProject), 0o600); err != nil {
		return fmt.Errorf("writing the project of the jars: %w", err)
	}
	out, err := exec.CommandContext(ctx, "mvn", "--quiet", "--batch-mode", "--file", project, //nolint:gosec // what to run is fixed here
		"dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory="+folder).CombinedOutput()
	if err != nil {
		_, _ = log.Write(out)
		return fmt.Errorf("fetching the jars of kafka: running mvn: %w", err)
	}
	return nil
}

// archiveClasses runs a broker once so that Java keeps its classes. The archive
// only saves time.
func archiveClasses(ctx context.Context, folder string) error {
	java, err := lookPath("java")
	if err != nil {
		return err
	}
	recorder, err := newKafkaJava(java, folder, "-XX:ArchiveClassesAtExit="+filepath.Join(folder, kafkaArchive))
	if err != nil {
		return err
	}
	k, err := startKafka(ctx, recorder, KafkaOptions{})
	if err != nil {
		return err
	}
	return k.stop(syscall.SIGTERM)
}
