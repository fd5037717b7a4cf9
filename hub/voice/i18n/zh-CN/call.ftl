# What the automatic call says in Mandarin. Values arrive as readable Chinese: no Latin words, no figures.
greeting = 您好，这里是{ $brand }客户服务的自动来电，不推销产品，也不索要密码或验证码。
greeting-unnamed = 您好，这里是您家电厂商客户服务的自动来电，不推销产品，也不索要密码或验证码。
about = 这次来电是关于您家的{ $appliance }。

# Said of a family or a fault for which neither profile nor model has words.
appliance-other = 家电
fault-other = 它的数据显示，工作状态与平时不同，可能快要出故障。

number = 这台家电的机身序列号，尾号是，
safe = 在检修之前，您可以照常使用。
unsafe = 为了您的安全，检修之前请不要使用，并拔下电源插头。
price = 上门检修的费用是{ $price }。
price-free = 这次上门检修不收费。
slot = 服务工程师可以在{ $slot }上门。

keys-slot = 同意这个时间，请按一。想换一个时间，请按二。想和工作人员通话，请按三。以后不想再接到这样的电话，请按九。重听，请按零。
keys-no-slot = 想约上门时间，请按二。想和工作人员通话，请按三。以后不想再接到这样的电话，请按九。重听，请按零。
wrong-key = 对不起，没有这个选项。
no-key = 我们没有收到您的按键。

booked = 好的，已经为您约好。服务工程师会在{ $slot }上门。谢谢您，再见。
another-time = 好的，我们的工作人员会在{ $by }之前给您打电话，另约时间。谢谢您，再见。
person = 好的，我们的工作人员会在{ $by }之前给您打电话。谢谢您，再见。
do-not-call = 好的，已经记下了，我们以后不会再给您打这样的电话。再见。
not-saved = 很抱歉，您的选择现在没能保存。我们的工作人员会在{ $by }之前给您打电话。再见。
goodbye = 我们没有收到您的选择。需要的时候，请回拨这个号码。再见。
