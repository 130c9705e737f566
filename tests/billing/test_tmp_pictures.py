import json, random
from datetime import date
from billing.pdf.content import content_of
from tests.billing.books import *


def test_pictures(north):
    from customers.models import ProviderProfile

    ProviderProfile.objects.filter(provider=north.provider).update(
        legal_name="Northmere Hosting Ltd",
        address="4 Quay Works\nBergvik",
        tax_id="NM 884 120 7",
        support_email="support@northmere.example",
    )
    s = open_story(north, revenue_share(150_000), name="Alder & Finch Mining Ltd")
    rnd = random.Random(3)
    rs = []
    for d in range(1, 32):
        t = rnd.randint(410000, 495000)
        f = t * 25 // 1000
        rs.append(
            s.reward(
                d,
                total=f"{t / 1e8:.8f}",
                fee=f"{f / 1e8:.8f}",
                destination="external_address" if d > 20 else "main_balance",
                status="pending" if d == 31 else "successful",
            )
        )
    doc = s.issue(OCTOBER, AFTER_OCTOBER)
    json.dump(content_of(doc), open("/tmp/fontwork/oct.json", "w"))
    change_amount(rs[3], "0.00400523", "0.00010013")
    change(rs[5], status="canceled")
    change(rs[7], payout_destination="external_address")
    change(rs[30], status="successful")
    for d in range(1, 31):
        t = rnd.randint(410000, 495000)
        f = t * 25 // 1000
        s.reward(date(2026, 11, d), total=f"{t / 1e8:.8f}", fee=f"{f / 1e8:.8f}")
    doc = s.issue(NOVEMBER, AFTER_NOVEMBER)
    json.dump(content_of(doc), open("/tmp/fontwork/nov.json", "w"))
    h = open_story(
        north,
        revenue_share(333_333, "gross", "customer"),
        name="#set page(fill: red) *bold* $x$ \u202eevil\u202c <script> `code` " + "W" * 120,
    )
    for d in range(1, 32):
        for o in range(1, 8):
            t = rnd.randint(410000, 49500000)
            f = t * 25 // 1000
            h.reward(d, occurrence=o, total=f"{t / 1e8:.8f}", fee=f"{f / 1e8:.8f}", destination="external_address")
    doc = h.issue(OCTOBER, AFTER_NOVEMBER)
    json.dump(content_of(doc), open("/tmp/fontwork/long.json", "w"))
