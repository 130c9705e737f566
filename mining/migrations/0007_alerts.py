import functools

import django.db.models.deletion
from django.db import migrations, models

import customers.codes
from customers.walls import Wall


class Migration(migrations.Migration):

    dependencies = [
        ('customers', '0001_initial'),
        ('mining', '0006_second_looks'),
    ]

    operations = [
        migrations.CreateModel(
            name='Alert',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(default=functools.partial(customers.codes.new_code, *('alr',)), editable=False, max_length=32)),
                ('kind', models.CharField(choices=[('payout_drift', 'Payout Drift'), ('key_refused', 'Key Refused'), ('key_quiet', 'Key Quiet'), ('key_silent', 'Key Silent'), ('act_in_doubt', 'Act In Doubt')], max_length=32)),
                ('opened_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(null=True)),
                ('told_at', models.DateTimeField(null=True)),
                ('tried_at', models.DateTimeField(null=True)),
                ('problem', models.CharField(blank=True, default='', max_length=500)),
                ('credential', models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='mining.credential')),
                ('customer', models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.customer')),
                ('intent', models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='mining.poolintent')),
                ('mining_account', models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='mining.miningaccount')),
                ('provider', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.provider')),
            ],
            options={
                'indexes': [models.Index(fields=['provider', '-id'], name='mining_alert_newest')],
                'constraints': [models.UniqueConstraint(fields=('provider', 'code'), name='mining_alert_code'), models.UniqueConstraint(condition=models.Q(('ended_at', None)), fields=('provider', 'kind', 'mining_account', 'credential', 'intent'), name='mining_alert_one_open', nulls_distinct=False), models.CheckConstraint(condition=models.Q(models.Q(('credential', None), ('intent', None), ('mining_account__isnull', False)), models.Q(('credential__isnull', False), ('intent', None), ('mining_account', None)), models.Q(('credential', None), ('intent__isnull', False), ('mining_account', None)), _connector='OR'), name='mining_alert_one_subject')],
            },
        ),
        Wall("Alert"),
    ]
