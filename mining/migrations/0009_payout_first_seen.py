from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("mining", "0008_links_counted")]

    operations = [
        migrations.AddField(
            model_name="miningaccount",
            name="payout_first_seen_at",
            field=models.DateTimeField(null=True),
        ),
    ]
