from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("mining", "0010_subject_words")]

    operations = [
        migrations.AddField(
            model_name="syncrun",
            name="accounts_answered",
            field=models.BooleanField(default=False),
        ),
    ]
