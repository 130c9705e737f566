from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('mining', '0004_turns'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='credential',
            name='mining_credential_key_once',
        ),
        migrations.AddConstraint(
            model_name='credential',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'retired'), _negated=True), fields=('provider', 'key_digest'), name='mining_credential_key_once'),
        ),
        migrations.AddConstraint(
            model_name='credential',
            constraint=models.UniqueConstraint(condition=models.Q(('verified_at__isnull', False), models.Q(('state', 'retired'), _negated=True)), fields=('key_digest',), name='mining_credential_one_provider'),
        ),
    ]
