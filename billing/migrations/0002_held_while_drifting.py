from django.db import migrations

from customers.sqlfiles import run_sql


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial"), ("mining", "0002_whole_pool")]

    operations = [run_sql(__file__, "held_while_drifting")]
