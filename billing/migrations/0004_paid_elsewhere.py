from django.db import migrations

from customers.sqlfiles import run_sql


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0003_held_while_paid_elsewhere"),
        ("mining", "0003_intents_look_again"),
    ]

    operations = [run_sql(__file__, "paid_elsewhere")]
