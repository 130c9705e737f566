from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("mining", "0009_payout_first_seen")]

    operations = [
        migrations.AlterField(
            model_name="syncrun",
            name="subject",
            field=models.CharField(
                choices=[
                    ("accounts", "Accounts"),
                    ("rewards", "Rewards"),
                    ("hashrate", "Hashrate"),
                    ("workers", "Machines"),
                    ("payouts", "Payout destinations"),
                    ("watchers", "Watcher links"),
                    ("key", "Key check"),
                ],
                max_length=16,
            ),
        ),
    ]
