from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("mining", "0005_verified_keys_count")]

    operations = [
        migrations.AddField(
            model_name="poolintent",
            name="nothing_seen_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="watcherlink",
            name="missing_since",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="watcherlink",
            name="renewals_failed",
            field=models.PositiveSmallIntegerField(default=0),
        ),
    ]
