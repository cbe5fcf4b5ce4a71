// The peer of the nats source: nats.c's own pull-and-ack loop, nothing else done with the messages.
//
//   nats_bare URL STREAM COUNT [BATCH]
//
// Pulls COUNT messages through an ephemeral AckAll consumer with natsSubscription_Fetch and acknowledges the last one of
// each batch. Prints one JSON line: messages, seconds, messages/s, CPU-seconds of this process.
#include <nats/nats.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

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

static void must(natsStatus status, const char* what) {
  if (status == NATS_OK) return;
  fprintf(stderr, "nats_bare: %s: %s\n", what, natsStatus_GetText(status));
  exit(1);
}

int main(int argc, char** argv) {
  if (argc < 4) {
    fprintf(stderr, "usage: nats_bare URL STREAM COUNT [BATCH]\n");
    return 2;
  }
  const int64_t count = atoll(argv[3]);
  const int batch = argc > 4 ? atoi(argv[4]) : 500;

  natsConnection* connection = NULL;
  jsCtx* jetstream = NULL;
  natsSubscription* subscription = NULL;
  must(natsConnection_ConnectTo(&connection, argv[1]), "connect");
  must(natsConnection_JetStream(&jetstream, connection, NULL), "jetstream");
  jsSubOptions options;
  jsSubOptions_Init(&options);
  options.Stream = argv[2];
  options.Config.AckPolicy = js_AckAll;
  options.Config.MaxAckPending = 1000000000;
  options.Config.DeliverPolicy = js_DeliverAll;
  must(js_PullSubscribe(&subscription, jetstream, ">", NULL, NULL, &options, NULL), "subscribe");

  const double wall_begin = wall_s();
  const double cpu_begin = cpu_s();
  int64_t messages = 0;
  int64_t bytes = 0;
  while (messages < count) {
    natsMsgList list;
    const natsStatus status = natsSubscription_Fetch(&list, subscription, batch, 5000, NULL);
    if (status == NATS_TIMEOUT) break;
    must(status, "fetch");
    for (int i = 0; i < list.Count; ++i) bytes += natsMsg_GetDataLength(list.Msgs[i]);
    if (list.Count > 0) must(natsMsg_Ack(list.Msgs[list.Count - 1], NULL), "ack");
    messages += list.Count;
    natsMsgList_Destroy(&list);
  }
  const double wall = wall_s() - wall_begin;
  printf("{\"messages\":%lld,\"bytes\":%lld,\"seconds\":%.3f,\"messages_per_s\":%.0f,\"cpu_seconds\":%.3f}\n",
         (long long)messages, (long long)bytes, wall, (double)messages / wall, cpu_s() - cpu_begin);
  natsSubscription_Destroy(subscription);
  jsCtx_Destroy(jetstream);
  natsConnection_Destroy(connection);
  nats_Close();
  return messages < count ? 1 : 0;
}
