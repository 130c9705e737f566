from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("mining", "0007_alerts")]

    operations = [
        migrations.AddField(
            model_name="miningaccount",
            name="links_read_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="miningaccount",
            name="links_unseen",
            field=models.PositiveIntegerField(default=0),
        ),
    ]
