import functools
import uuid

import django.db.models.deletion
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models

import customers.codes
from customers.row_security import Wall


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Provider',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(default=functools.partial(customers.codes.new_code, *('prv',)), editable=False, max_length=32, unique=True)),
                ('slug', models.SlugField(max_length=63, unique=True)),
                ('name', models.CharField(max_length=200)),
                ('hostname', models.CharField(blank=True, max_length=253, null=True, unique=True)),
                ('status', models.CharField(choices=[('active', 'Active'), ('suspended', 'Suspended')], default='active', max_length=16)),
            ],
        ),
        migrations.CreateModel(
            name='User',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('password', models.CharField(max_length=128, verbose_name='password')),
                ('last_login', models.DateTimeField(blank=True, null=True, verbose_name='last login')),
                ('email', models.EmailField(max_length=254, unique=True)),
                ('name', models.CharField(max_length=200)),
                ('is_active', models.BooleanField(default=True)),
                ('created_at', models.DateTimeField()),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('email', django.db.models.functions.text.Lower('email'))), name='customers_user_email_lower')],
            },
        ),
        migrations.CreateModel(
            name='Customer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(default=functools.partial(customers.codes.new_code, *('cus',)), editable=False, max_length=32)),
                ('name', models.CharField(max_length=200)),
                ('email', models.EmailField(max_length=254)),
                ('external_ref', models.CharField(blank=True, max_length=100, null=True)),
                ('status', models.CharField(choices=[('active', 'Active'), ('closed', 'Closed')], default='active', max_length=16)),
                ('created_at', models.DateTimeField()),
                ('closed_at', models.DateTimeField(null=True)),
                ('provider', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.provider')),
            ],
        ),
        migrations.CreateModel(
            name='AuditEntry',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('at', models.DateTimeField()),
                ('actor_kind', models.CharField(max_length=16)),
                ('actor', models.CharField(max_length=254)),
                ('action', models.CharField(max_length=64)),
                ('subject', models.CharField(max_length=64)),
                ('details', models.JSONField(default=dict)),
                ('provider', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.provider')),
            ],
        ),
        migrations.CreateModel(
            name='ApiToken',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(default=functools.partial(customers.codes.new_code, *('tok',)), editable=False, max_length=32)),
                ('name', models.CharField(max_length=100)),
                ('digest', models.BinaryField(max_length=32)),
                ('scopes', models.JSONField()),
                ('made_by', models.CharField(max_length=254)),
                ('created_at', models.DateTimeField()),
                ('ends_on', models.DateField(null=True)),
                ('revoked_at', models.DateTimeField(null=True)),
                ('last_used_at', models.DateTimeField(null=True)),
                ('provider', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.provider')),
            ],
        ),
        migrations.CreateModel(
            name='ProviderLogo',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sha256', models.CharField(max_length=64)),
                ('content', models.BinaryField()),
                ('width', models.PositiveSmallIntegerField()),
                ('height', models.PositiveSmallIntegerField()),
                ('created_at', models.DateTimeField()),
                ('provider', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.provider')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('provider', 'sha256'), name='customers_logo_once')],
            },
        ),
        migrations.CreateModel(
            name='ProviderProfile',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('legal_name', models.CharField(max_length=200)),
                ('address', models.TextField(blank=True, default='')),
                ('tax_id', models.CharField(blank=True, default='', max_length=64)),
                ('support_email', models.EmailField(blank=True, default='', max_length=254)),
                ('support_phone', models.CharField(blank=True, default='', max_length=40)),
                ('support_url', models.CharField(blank=True, default='', max_length=200)),
                ('brand_colour', models.CharField(blank=True, default='', max_length=7)),
                ('logo', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.providerlogo')),
                ('provider', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.provider')),
            ],
        ),
        migrations.CreateModel(
            name='Membership',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(default=functools.partial(customers.codes.new_code, *('mem',)), editable=False, max_length=32)),
                ('kind', models.CharField(choices=[('staff', 'Staff'), ('customer', 'Customer')], max_length=16)),
                ('role', models.CharField(choices=[('owner', 'Owner'), ('finance', 'Finance'), ('support', 'Support'), ('auditor', 'Auditor'), ('viewer', 'Viewer')], max_length=16)),
                ('is_active', models.BooleanField(default=True)),
                ('created_at', models.DateTimeField()),
                ('customer', models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.customer')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('provider', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.provider')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('provider', 'code'), name='customers_membership_code'), models.UniqueConstraint(fields=('provider', 'user', 'customer'), name='customers_membership_once', nulls_distinct=False), models.CheckConstraint(condition=models.Q(models.Q(('customer', None), ('kind', 'staff'), ('role__in', ('owner', 'finance', 'support', 'auditor'))), models.Q(('customer__isnull', False), ('kind', 'customer'), ('role__in', ('owner', 'viewer'))), _connector='OR'), name='customers_membership_role')],
            },
        ),
        migrations.CreateModel(
            name='Invitation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(default=functools.partial(customers.codes.new_code, *('inv',)), editable=False, max_length=32)),
                ('kind', models.CharField(choices=[('staff', 'Staff'), ('customer', 'Customer')], max_length=16)),
                ('role', models.CharField(choices=[('owner', 'Owner'), ('finance', 'Finance'), ('support', 'Support'), ('auditor', 'Auditor'), ('viewer', 'Viewer')], max_length=16)),
                ('email', models.EmailField(max_length=254)),
                ('digest', models.BinaryField(max_length=32)),
                ('created_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('accepted_at', models.DateTimeField(null=True)),
                ('revoked_at', models.DateTimeField(null=True)),
                ('customer', models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.customer')),
                ('invited_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('provider', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.provider')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('provider', 'code'), name='customers_invitation_code'), models.UniqueConstraint(fields=('provider', 'digest'), name='customers_invitation_digest'), models.CheckConstraint(condition=models.Q(models.Q(('customer', None), ('kind', 'staff'), ('role__in', ('owner', 'finance', 'support', 'auditor'))), models.Q(('customer__isnull', False), ('kind', 'customer'), ('role__in', ('owner', 'viewer'))), _connector='OR'), name='customers_invitation_role')],
            },
        ),
        migrations.AddConstraint(
            model_name='customer',
            constraint=models.UniqueConstraint(fields=('provider', 'code'), name='customers_customer_code'),
        ),
        migrations.AddConstraint(
            model_name='customer',
            constraint=models.UniqueConstraint(fields=('provider', 'external_ref'), name='customers_customer_external_ref'),
        ),
        migrations.AddConstraint(
            model_name='customer',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('closed_at', None), ('status', 'active')), models.Q(('closed_at__isnull', False), ('status', 'closed')), _connector='OR'), name='customers_customer_closed'),
        ),
        migrations.AddIndex(
            model_name='auditentry',
            index=models.Index(fields=['provider', '-at'], name='customers_audit_at'),
        ),
        migrations.AddConstraint(
            model_name='apitoken',
            constraint=models.UniqueConstraint(fields=('provider', 'code'), name='customers_token_code'),
        ),
        migrations.AddConstraint(
            model_name='apitoken',
            constraint=models.UniqueConstraint(fields=('provider', 'digest'), name='customers_token_digest'),
        ),
        migrations.AddConstraint(
            model_name='apitoken',
            constraint=models.UniqueConstraint(condition=models.Q(('revoked_at', None)), fields=('provider', 'name'), name='customers_token_name'),
        ),
        migrations.AddConstraint(
            model_name='providerprofile',
            constraint=models.UniqueConstraint(fields=('provider',), name='customers_profile_one'),
        ),
        migrations.AddConstraint(
            model_name='providerprofile',
            constraint=models.CheckConstraint(condition=models.Q(('brand_colour', ''), ('brand_colour__regex', '^#[0-9a-f]{6}$'), _connector='OR'), name='customers_profile_colour'),
        ),
        migrations.AddConstraint(
            model_name='providerprofile',
            constraint=models.CheckConstraint(condition=models.Q(('support_url', ''), ('support_url__startswith', 'https://'), _connector='OR'), name='customers_profile_url'),
        ),
        migrations.CreateModel(
            name='KeptCall',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('caller', models.BinaryField(max_length=32)),
                ('method', models.CharField(max_length=8)),
                ('route', models.CharField(max_length=200)),
                ('key', models.CharField(max_length=255)),
                ('body_digest', models.BinaryField(max_length=32)),
                ('created_at', models.DateTimeField()),
                ('status', models.PositiveSmallIntegerField(null=True)),
                ('body', models.TextField(default='')),
                ('location', models.TextField(default='')),
                ('provider', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='customers.provider')),
            ],
            options={
                'indexes': [models.Index(fields=['provider', 'created_at'], name='customers_kept_call_age')],
                'constraints': [models.UniqueConstraint(fields=('provider', 'caller', 'method', 'route', 'key'), name='customers_kept_call_once')],
            },
        ),
        Wall("ProviderLogo"),
        Wall("ProviderProfile"),
        Wall("Customer", customer="id"),
        Wall("Membership", customer="customer_id", own_user="user_id"),
        Wall("Invitation", customer="customer_id", lookup="digest"),
        Wall("ApiToken", lookup="digest"),
        Wall("AuditEntry"),
        Wall("KeptCall"),
    ]
