// The peer of the kafka source: librdkafka's own batch consumer loop, nothing done with the messages but
// counting.
//
//   kafka_bare SERVERS TOPIC COUNT [NAME=VALUE …]
//
//   kafka_bare SERVERS TOPIC COUNT --delays [NAME=VALUE …]
//
// One consumer, all partitions of TOPIC from their beginning through one queue
// (rd_kafka_consume_batch_queue), up to 8192 messages a call. NAME=VALUE: properties of librdkafka. Prints
// one JSON line: messages, bytes, seconds, messages/s, CPU-seconds of this process. --delays adds p50_ms and
// p99_ms between an event's "sent_at" (as kafka_produce stamps it) and its arrival here. The clock starts
// with the client, before it connects.
#define _GNU_SOURCE  // memmem, timegm
#include <librdkafka/rdkafka.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { kBatch = 8192, kTimeoutMs = 10000 };

static double wall_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double cpu_s(void) {
  struct rusage use;
  getrusage(RUSAGE_SELF, &use);
  return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
         (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

static void fail(const char* what, const char* why) {
  fprintf(stderr, "kafka_bare: %s: %s\n", what, why);
  exit(1);
}

static void set(rd_kafka_conf_t* conf, const char* name, const char* value) {
  char error[512];
  if (rd_kafka_conf_set(conf, name, value, error, sizeof error) != RD_KAFKA_CONF_OK) fail(name, error);
}

static double now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static double delay_ms(const char* payload, size_t size, double now) {
  static const char kName[] = "\"sent_at\":\"";
  const char* at = memmem(payload, size, kName, sizeof kName - 1);
  if (at == NULL) fail("delays", "an event has no sent_at");
  struct tm parts = {0};
  double seconds = 0;
  if (sscanf(at + sizeof kName - 1, "%d-%d-%dT%d:%d:%lf", &parts.tm_year, &parts.tm_mon, &parts.tm_mday,
             &parts.tm_hour, &parts.tm_min, &seconds) != 6) {
    fail("delays", "sent_at is no instant");
  }
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  return now - (double)timegm(&parts) * 1e3 - seconds * 1e3;
}

static int rising(const void* one, const void* other) {
  const float a = *(const float*)one;
  const float b = *(const float*)other;
  return (a > b) - (a < b);
}

int main(int argc, char** argv) {
  if (argc < 4) {
    fprintf(stderr, "usage: kafka_bare SERVERS TOPIC COUNT [--delays] [NAME=VALUE ...]\n");
    return 2;
  }
  const int64_t count = atoll(argv[3]);
  float* delays = NULL;
  int next_argument = 4;
  if (argc > 4 && strcmp(argv[4], "--delays") == 0) {
    delays = malloc((size_t)(count + kBatch) * sizeof *delays);
    next_argument = 5;
  }
  const double wall_begin = wall_s();
  char error[512];
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  set(conf, "bootstrap.servers", argv[1]);
  for (int i = next_argument; i < argc; ++i) {
    char* equals = strchr(argv[i], '=');
    if (equals == NULL) fail(argv[i], "not NAME=VALUE");
    *equals = 0;
    set(conf, argv[i], equals + 1);
  }
  rd_kafka_t* client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof error);
  if (client == NULL) fail("consumer", error);
  rd_kafka_topic_t* topic = rd_kafka_topic_new(client, argv[2], NULL);
  const rd_kafka_metadata_t* metadata = NULL;
  const rd_kafka_resp_err_t known = rd_kafka_metadata(client, 0, topic, &metadata, kTimeoutMs);
  if (known != RD_KAFKA_RESP_ERR_NO_ERROR) fail("metadata", rd_kafka_err2str(known));
  const int partitions = metadata->topics[0].partition_cnt;
  rd_kafka_metadata_destroy(metadata);
  rd_kafka_queue_t* queue = rd_kafka_queue_new(client);
  for (int i = 0; i < partitions; ++i) {
    if (rd_kafka_consume_start_queue(topic, i, RD_KAFKA_OFFSET_BEGINNING, queue) != 0)
      fail("start", rd_kafka_err2str(rd_kafka_last_error()));
  }

  static rd_kafka_message_t* batch[kBatch];
  int64_t messages = 0;
  int64_t bytes = 0;
  double last_s = wall_s();
  while (messages < count) {
    ssize_t taken = rd_kafka_consume_batch_queue(queue, 100, batch, 1);
    if (taken == 1) taken += rd_kafka_consume_batch_queue(queue, 0, batch + 1, kBatch - 1);
    const double arrived_ms = delays == NULL ? 0 : now_ms();
    for (ssize_t i = 0; i < taken; ++i) {
      if (batch[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (delays != NULL) delays[messages] = (float)delay_ms(batch[i]->payload, batch[i]->len, arrived_ms);
        ++messages;
        bytes += (int64_t)batch[i]->len;
      }
      rd_kafka_message_destroy(batch[i]);
    }
    if (taken > 0) last_s = wall_s();
    if (wall_s() - last_s > kTimeoutMs / 1000.0) fail("consume", "nothing came for 10 s");
  }
  const double wall = wall_s() - wall_begin;
  printf("{\"messages\":%lld,\"bytes\":%lld,\"seconds\":%.3f,\"messages_per_s\":%.0f,\"cpu_seconds\":%.3f",
         (long long)messages, (long long)bytes, wall, (double)messages / wall, cpu_s());
  if (delays != NULL) {
    qsort(delays, (size_t)messages, sizeof *delays, rising);
    printf(",\"p50_ms\":%.1f,\"p99_ms\":%.1f", delays[messages / 2], delays[messages * 99 / 100]);
    free(delays);
  }
  printf("}\n");
  fflush(stdout);
  for (int i = 0; i < partitions; ++i) rd_kafka_consume_stop(topic, i);
  rd_kafka_queue_destroy(queue);
  rd_kafka_topic_destroy(topic);
  rd_kafka_destroy(client);
  return 0;
}
