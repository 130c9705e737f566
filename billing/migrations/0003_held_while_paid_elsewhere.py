import django.db.models.deletion
from django.db import migrations, models

from customers.sqlfiles import run_sql
from customers.walls import Wall


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0002_held_while_drifting"),
        ("customers", "0001_initial"),
        ("mining", "0003_intents_look_again"),
    ]

    operations = [
        migrations.CreateModel(
            name="RewardRelease",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("destination", models.CharField(max_length=32)),
                ("address", models.CharField(max_length=128, null=True)),
                ("released_by", models.CharField(max_length=254)),
                ("released_at", models.DateTimeField()),
                (
                    "customer",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="customers.customer",
                    ),
                ),
                (
                    "provider",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="customers.provider"
                    ),
                ),
                (
                    "reward",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="releases",
                        to="mining.reward",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="rewardrelease",
            constraint=models.UniqueConstraint(
                fields=("provider", "reward", "destination", "address"),
                name="billing_release_once",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="rewardrelease",
            constraint=models.CheckConstraint(
                condition=models.Q(("destination", "main_balance"), ("destination", "external_address"), _connector="OR"),
                name="billing_release_destination",
            ),
        ),
        Wall("RewardRelease", customer="customer_id"),
        run_sql(__file__, "held_while_paid_elsewhere"),
    ]
