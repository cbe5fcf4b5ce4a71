"""The demo's orders: order number -> the bytes that a service sends. 120 of 50,000 are broken, in six ways."""

import json

BROKEN_EVERY = 416            # 50,000 orders: 120 broken ones
WAYS = ("cut off in transit", "amount is no number", "order_id is missing", "a date that nobody can read",
        "a status that is new", "a coupon that is too long")
MENDABLE = (4, 5)             # by a change of the schema; the services are right, the schema was too narrow

_CUSTOMERS = ("ada", "bela", "chen", "dara", "emre", "fay", "goro", "hana")
_STATUS = ("new", "paid", "shipped")


def way_of(number):
    """Which of WAYS breaks this order; None for a good one."""
    return (number // BROKEN_EVERY - 1) % len(WAYS) if number % BROKEN_EVERY == 0 else None


def cents_of(number):
    return 100 + number * 7919 % 99_900


def payload(number):
    way = way_of(number)
    cents = cents_of(number)
    order = {
        "order_id": number,
        "customer": _CUSTOMERS[number * 31 // 7 % len(_CUSTOMERS)],
        "status": _STATUS[number % len(_STATUS)],
        "amount": "a lot" if way == 1 else f"{cents // 100}.{cents % 100:02d}",
        "coupon": "SPRING-AND-SUMMER" if way == 5 else "SPRING" if number % 10 == 0 else None,
        "placed_at": f"2026-11-{20 + number % 3}T{number % 24:02d}:{number // 24 % 60:02d}:{number % 60:02d}"
                     f".{number % 1000:03d}",
    }
    if way == 2:
        del order["order_id"]
    elif way == 3:
        order["placed_at"] = "21st of November"
    elif way == 4:
        order["status"] = "refunded"
    text = json.dumps(order)
    return (text[:text.index('"coupon"') - 2] if way == 0 else text).encode()
