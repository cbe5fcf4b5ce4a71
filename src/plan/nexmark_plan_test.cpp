// Nexmark's queries as they are published for Flink: each comes to its graph.
#include <gtest/gtest.h>

#include "plan/registry_for_test.h"

namespace weir {
namespace {

const std::string kNexmark = R"(
SET 'pipeline.unbounded-state' = 'allow';
CREATE TABLE nexmark (
  event_type INT,
  person ROW<id BIGINT, name STRING, emailAddress STRING, creditCard STRING, city STRING, state STRING,
             dateTime TIMESTAMP(3), extra STRING>,
  auction ROW<id BIGINT, itemName STRING, description STRING, initialBid BIGINT, reserve BIGINT,
              dateTime TIMESTAMP(3), expires TIMESTAMP(3), seller BIGINT, category BIGINT, extra STRING>,
  bid ROW<auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING, dateTime TIMESTAMP(3),
          extra STRING>,
  dateTime AS CASE WHEN event_type = 0 THEN person.dateTime WHEN event_type = 1 THEN auction.dateTime
                   ELSE bid.dateTime END,
  WATERMARK FOR dateTime AS dateTime - INTERVAL '4' SECOND
) WITH ('connector' = 'in');
CREATE VIEW person AS SELECT person.id, person.name, person.emailAddress, person.creditCard, person.city,
  person.state, dateTime, person.extra FROM nexmark WHERE event_type = 0;
CREATE VIEW auction AS SELECT auction.id, auction.itemName, auction.description, auction.initialBid,
  auction.reserve, dateTime, auction.expires, auction.seller, auction.category, auction.extra
  FROM nexmark WHERE event_type = 1;
CREATE VIEW bid AS SELECT bid.auction, bid.bidder, bid.price, bid.channel, bid.url, dateTime, bid.extra
  FROM nexmark WHERE event_type = 2;
CREATE VIEW B AS SELECT *, PROCTIME() AS p_time FROM bid;
CREATE TABLE side (id BIGINT, name STRING) WITH ('connector' = 'in');
CREATE TABLE result WITH ('connector' = 'table');
)";

struct Query {
  const char* name;
  const char* sql;
  const char* kinds;  // of the graph; "": stateless
};

const Query kQueries[] = {
    {"q0", "SELECT auction, bidder, price, dateTime, extra FROM bid", ""},
    {"q1", "SELECT auction, bidder, 0.908 * price AS price, dateTime, extra FROM bid", ""},
    {"q2", "SELECT auction, price FROM bid WHERE MOD(auction, 123) = 0", ""},
    {"q3",
     "SELECT P.name, P.city, P.state, A.id FROM auction AS A INNER JOIN person AS P ON A.seller = P.id "
     "WHERE A.category = 10 AND (P.state = 'OR' OR P.state = 'ID' OR P.state = 'CA')",
     "scan scan join fragment"},
    {"q5",
     "SELECT AuctionBids.auction, AuctionBids.num FROM (SELECT auction, count(*) AS num, window_start AS "
     "starttime, window_end AS endtime FROM TABLE(HOP(TABLE bid, DESCRIPTOR(dateTime), INTERVAL '2' SECOND, "
     "INTERVAL '10' SECOND)) GROUP BY auction, window_start, window_end) AS AuctionBids JOIN (SELECT "
     "max(CountBids.num) AS maxn, CountBids.starttime, CountBids.endtime FROM (SELECT count(*) AS num, "
     "window_start AS starttime, window_end AS endtime FROM TABLE(HOP(TABLE bid, DESCRIPTOR(dateTime), "
     "INTERVAL "
     "'2' SECOND, INTERVAL '10' SECOND)) GROUP BY auction, window_start, window_end) AS CountBids GROUP BY "
     "CountBids.starttime, CountBids.endtime) AS MaxBids ON AuctionBids.starttime = MaxBids.starttime AND "
     "AuctionBids.endtime = MaxBids.endtime AND AuctionBids.num >= MaxBids.maxn",
     "scan window_aggregate window_aggregate window_join fragment"},
    {"q7",
     "SELECT B.auction, B.price, B.bidder, B.dateTime, B.extra from bid B JOIN (SELECT MAX(price) AS "
     "maxprice, "
     "window_end as dateTime FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(dateTime), INTERVAL '10' SECOND)) GROUP "
     "BY "
     "window_start, window_end) B1 ON B.price = B1.maxprice WHERE B.dateTime BETWEEN B1.dateTime - INTERVAL "
     "'10' "
     "SECOND AND B1.dateTime",
     "scan window_aggregate scan fragment interval_join fragment"},
    {"q8",
     "SELECT P.id, P.name, P.starttime FROM (SELECT id, name, window_start AS starttime, window_end AS "
     "endtime "
     "FROM TABLE(TUMBLE(TABLE person, DESCRIPTOR(dateTime), INTERVAL '10' SECOND)) GROUP BY id, name, "
     "window_start, window_end) P JOIN (SELECT seller, window_start AS starttime, window_end AS endtime FROM "
     "TABLE(TUMBLE(TABLE auction, DESCRIPTOR(dateTime), INTERVAL '10' SECOND)) GROUP BY seller, "
     "window_start, "
     "window_end) A ON P.id = A.seller AND P.starttime = A.starttime AND P.endtime = A.endtime",
     "scan window_aggregate scan window_aggregate window_join fragment"},
    {"q10",
     "SELECT auction, bidder, price, dateTime, extra, DATE_FORMAT(dateTime, 'yyyy-MM-dd') AS dt, "
     "DATE_FORMAT(dateTime, 'HH:mm') AS tm FROM bid",
     ""},
    {"q11",
     "SELECT bidder, count(*) AS bid_count, window_start AS starttime, window_end AS endtime FROM "
     "TABLE(SESSION(TABLE bid PARTITION BY bidder, DESCRIPTOR(dateTime), INTERVAL '10' SECOND)) GROUP BY "
     "bidder, "
     "window_start, window_end",
     "scan window_aggregate fragment"},
    {"q12",
     "SELECT bidder, count(*) AS bid_count, window_start AS starttime, window_end AS endtime FROM "
     "TABLE(TUMBLE(TABLE B, DESCRIPTOR(p_time), INTERVAL '10' SECOND)) GROUP BY bidder, window_start, "
     "window_end",
     "scan window_aggregate fragment"},
    {"q13",
     "SELECT B.auction, B.bidder, B.price, B.dateTime, S.name FROM B JOIN side FOR SYSTEM_TIME AS OF "
     "B.p_time AS "
     "S ON B.auction = S.id",
     "scan lookup_join fragment"},
    {"q14",
     "SELECT auction, bidder, 0.908 * price AS price, CASE WHEN HOUR(dateTime) >= 8 AND HOUR(dateTime) <= 18 "
     "THEN 'dayTime' ELSE 'nightTime' END AS bidTimeType, dateTime, extra FROM bid WHERE 0.908 * price > "
     "1000000",
     ""},
    {"q15",
     "SELECT DATE_FORMAT(dateTime, 'yyyy-MM-dd') AS `day`, count(*) AS total_bids, count(*) filter (where "
     "price < "
     "10000) AS rank1_bids, count(distinct bidder) AS total_bidders, count(distinct bidder) filter (where "
     "price < "
     "10000) AS rank1_bidders FROM bid GROUP BY DATE_FORMAT(dateTime, 'yyyy-MM-dd')",
     "scan aggregate"},
    {"q17",
     "SELECT auction, DATE_FORMAT(dateTime, 'yyyy-MM-dd') AS `day`, count(*) AS total_bids, min(price) AS "
     "min_price, max(price) AS max_price, avg(price) AS avg_price, sum(price) AS sum_price FROM bid GROUP BY "
     "auction, DATE_FORMAT(dateTime, 'yyyy-MM-dd')",
     "scan aggregate"},
    {"q20",
     "SELECT auction, bidder, price, channel, url, B.dateTime AS bid_dateTime, B.extra AS bid_extra, "
     "itemName, "
     "description, initialBid, reserve, A.dateTime AS auction_dateTime, expires, seller, category, A.extra "
     "AS "
     "auction_extra FROM bid AS B INNER JOIN auction AS A ON B.auction = A.id WHERE A.category = 10",
     "scan scan join fragment"},
    {"q21",
     "SELECT auction, bidder, price, channel, CASE WHEN lower(channel) = 'apple' THEN '0' ELSE "
     "REGEXP_EXTRACT(url, '(&|^)channel_id=([^&]*)', 2) END AS channel_id FROM bid WHERE REGEXP_EXTRACT(url, "
     "'(&|^)channel_id=([^&]*)', 2) IS NOT NULL OR lower(channel) IN ('apple', 'google')",
     ""},
    {"q22",
     "SELECT auction, bidder, price, channel, SPLIT_INDEX(url, '/', 3) AS dir1, SPLIT_INDEX(url, '/', 4) AS "
     "dir2 "
     "FROM bid",
     ""},
};

TEST(NexmarkPlan, EachQueryHasItsGraph) {
  const char* names[] = {"scan",        "fragment",      "union_all", "window_aggregate", "aggregate",
                         "window_join", "interval_join", "join",      "lookup_join",      "window_top_n"};
  for (const Query& query : kQueries) {
    // A changelog's sink is declared; here no key is needed to plan.
    std::string text = kNexmark + "INSERT INTO result " + query.sql + ";";
    const bool changelog = std::string(query.kinds).find(" aggregate") != std::string::npos;
    PlannedText planned = plan_text(text);
    if (changelog) {
      EXPECT_NE(planned.errors.find("PRIMARY KEY"), std::string::npos) << query.name << planned.errors;
      continue;
    }
    ASSERT_TRUE(planned.plan) << query.name << ": " << planned.errors;
    std::string kinds;
    for (const PlanNode& node : planned.plan->inserts[0]->plan.graph) {
      kinds += (kinds.empty() ? "" : " ") + std::string(names[static_cast<int>(node.kind)]);
    }
    EXPECT_EQ(kinds, query.kinds) << query.name;
  }
}

}  // namespace
}  // namespace weir
