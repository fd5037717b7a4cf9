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

# Who has a visit hears it first.
visit-stands = 您的上门时间已经约好，服务工程师会在{ $visit }上门。
keys-visit-slot = 如果没有变化，您不用做什么。服务工程师也可以在{ $slot }上门，想改到这个时间，请按一。想另约时间，请按二。想和工作人员通话，请按三。以后不想再接到这样的电话，请按九。重听，请按零。
keys-visit = 如果没有变化，您不用做什么。想另约时间，请按二。想和工作人员通话，请按三。以后不想再接到这样的电话，请按九。重听，请按零。
visit-moved = 好的，已经为您改约。服务工程师会在{ $slot }上门。谢谢您，再见。
visit-another-time = 好的，我们的工作人员会在{ $by }之前给您打电话，另约时间。在这之前，{ $visit }的上门仍然有效。谢谢您，再见。
visit-person = 好的，我们的工作人员会在{ $by }之前给您打电话。{ $visit }的上门仍然有效。谢谢您，再见。
visit-do-not-call = 好的，已经记下了，我们以后不会再给您打这样的电话。{ $visit }的上门仍然有效。再见。
visit-not-saved = 很抱歉，您的选择现在没能保存。{ $visit }的上门仍然有效。我们的工作人员会在{ $by }之前给您打电话。再见。
visit-goodbye = { $visit }的上门仍然有效。需要的时候，请拨打这个号码。再见。

# Who rings us.
welcome = 您好，这里是{ $brand }客户服务的自动应答，不会索要密码或验证码。
welcome-unnamed = 您好，这里是您家电厂商客户服务的自动应答，不会索要密码或验证码。
nothing-open = 目前没有关于您家电的消息。
keys-person = 需要工作人员在{ $by }之前给您打电话，请按三。以后不想接到自动来电，请按九。重听，请按零。
caller-goodbye = 我们没有收到您的选择。需要的时候，请拨打这个号码。再见。
which-number = 我们不认识您现在使用的号码。请用按键输入您的工单号，或者家电机身序列号中的数字，然后按井号键。
number-unknown = 没有查到这个号码。
which-again = 请重新输入，然后按井号键。
number-named = 好的，我们的工作人员会在{ $by }之前拨打这台家电登记的电话号码。谢谢您，再见。
ring-from-own = 请用您登记的电话号码给我们打电话。再见。
